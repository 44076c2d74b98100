package jose_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"testing"
)

func bigInt(bytes []byte) *big.Int { return new(big.Int).SetBytes(bytes) }

func decodeHex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}

// duplicate reports whether a member stands twice, as encoding/json sees the
// text. It is a second opinion, by other means.
func duplicate(t testing.TB, text []byte) bool {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	type level struct {
		names  map[string]bool
		isName bool
	}
	var stack []*level
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return false
		}
		check(t, err)
		top := &level{}
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		switch token {
		case json.Delim('{'):
			top.isName = true
			stack = append(stack, &level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			top.isName = true
			stack = append(stack, &level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			continue
		}
		if top.names == nil {
			continue
		}
		if !top.isName { // a value: a name comes next
			top.isName = true
			continue
		}
		name := token.(string)
		if top.names[name] {
			return true
		}
		top.names[name], top.isName = true, false
	}
}

func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	check(t, decoder.Decode(into))
}
