package interleave

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

// Model is the store of a run: a map without expiry. Scenarios use it directly to
// prepare and to check; actors use stores of their own over it.
//
// Real code creates random keys and values. The model names them by their writer and
// order, so that runs with the same steps are recognized as equal.
type Model struct {
	// Swapped, if not nil, is called for each successful swap.
	Swapped func(old, new []byte)

	// Recreated is set when a deleted key is created again.
	Recreated bool

	values map[string][]byte
	gone   map[string]bool
	keys   map[string]string // key → the actor that used it first
	names  map[string]string // value → the actor that wrote it
}

// NewModel returns an empty store.
func NewModel() *Model {
	return &Model{gone: make(map[string]bool), values: make(map[string][]byte), keys: make(map[string]string), names: make(map[string]string)}
}

// Get returns the value under key.
func (m *Model) Get(_ context.Context, key string) ([]byte, bool, error) {
	value, ok := m.values[key]
	return value, ok, nil
}

// CompareAndSwap sets key to new if its value is old.
func (m *Model) CompareAndSwap(_ context.Context, key string, old, new []byte, _ time.Duration) (bool, error) {
	value, ok := m.values[key]
	if ok != (old != nil) || !bytes.Equal(value, old) {
		return false, nil
	}
	if _, ok := m.keys[key]; !ok {
		m.keys[key] = fmt.Sprintf("k%d", len(m.keys)) // the scenario prepares it
	}
	m.values[key] = bytes.Clone(new)
	m.Recreated = m.Recreated || m.gone[key]
	if m.Swapped != nil {
		m.Swapped(old, new)
	}
	return true, nil
}

// Delete removes key.
func (m *Model) Delete(_ context.Context, key string) error {
	delete(m.values, key)
	m.gone[key] = true
	return nil
}

func (m *Model) nameValue(value []byte, name string) { m.names[string(value)] = name }

func (m *Model) valueName(value []byte) string {
	if value == nil {
		return "-"
	}
	if name, ok := m.names[string(value)]; ok {
		return name
	}
	return "start" // written by the scenario itself
}

func (m *Model) describe(b *bytes.Buffer) {
	lines := make([]string, 0, len(m.values))
	for key, value := range m.values {
		lines = append(lines, m.keys[key]+"="+m.valueName(value))
	}
	slices.Sort(lines)
	fmt.Fprint(b, lines)
}
