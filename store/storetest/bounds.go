package storetest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/authlatch/auth/store"
)

// keyLengths does not write under the shortest key, which another program may
// use.
func keyLengths(k *kit) {
	k.get("k")
	k.mustNotSwap("k", []byte(k.key()), first, alive)
	long := k.key()
	long += strings.Repeat("k", store.MaxKey-1-len(long))
	for i, key := range []string{long, long + "1", long + "2"} {
		k.wantAbsent(key)
		k.create(key, []byte{byte(i)})
	}
	for i, key := range []string{long, long + "1", long + "2"} {
		k.wantValue(key, []byte{byte(i)})
		k.delete(key)
		k.wantAbsent(key)
	}
}

func keyCharacters(k *kit) {
	prefix := k.key()
	keys := []string{prefix + "%2e", prefix + "../x", prefix + "';--", prefix + `\n`, prefix + "{a}", prefix + "[!-~]"}
	for c := '!'; c <= '~'; c++ {
		keys = append(keys, prefix+string(c))
	}
	for _, key := range keys {
		k.create(key, []byte(key))
	}
	for _, key := range keys {
		k.wantValue(key, []byte(key))
	}
	for i, key := range keys {
		k.delete(key)
		k.wantAbsent(key)
		if i+1 < len(keys) {
			k.wantValue(keys[i+1], []byte(keys[i+1]))
		}
	}
}

func badKeys(k *kit) {
	good := k.key()
	k.create(good, first)
	long := good + strings.Repeat("k", store.MaxKey)
	bad := []string{"", long, long[:store.MaxKey+1], " ", good + " ", " " + good}
	for _, c := range []string{"\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\xff", "é", "　"} {
		bad = append(bad, good+c, c)
	}
	for _, key := range bad {
		what := fmt.Sprintf("a key of %d bytes, %.40q", len(key), key)
		if value, ok, err := k.stores[0].Get(k.ctx, key); err == nil || ok || value != nil {
			k.Errorf("Get of %s: %q, %v, %v, want an error alone", what, value, ok, err)
		}
		k.mustRefuse("create "+what, key, nil, second, alive)
		k.mustRefuse("swap "+what, key, first, second, alive)
		if err := k.stores[0].Delete(k.ctx, key); err == nil {
			k.Errorf("Delete of %s: no error", what)
		}
	}
	k.wantValue(good, first)
}

func valueLengths(k *kit) {
	longest := make([]byte, store.MaxValue)
	rand.Read(longest)
	for _, n := range []int{1, 2, 255, 256, 4095, 65535, store.MaxValue} {
		key, value := k.key(), longest[:n]
		k.create(key, value)
		k.wantValue(key, value)
		k.mustSwap(key, value, first, alive)
		k.mustSwap(key, first, value, alive)
		k.wantValue(key, value)
		k.delete(key)
	}
}

func valueBytes(k *kit) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	values := [][]byte{every, {0}, {0, 0, 0}, []byte("a\x00b"), []byte("\x00a"), {0xff, 0xfe}, {0xc3, 0x28},
		[]byte(" "), []byte("\r\n"), []byte("null"), []byte("0"), []byte("1e3"), []byte(`\x00`), []byte("'"), []byte("{}")}
	for _, value := range values {
		key := k.key()
		k.create(key, value)
		k.wantValue(key, value)
		k.mustSwap(key, value, first, alive)
		k.mustSwap(key, first, value, alive)
		k.wantValue(key, value)
	}
}

func valuesApart(k *kit) {
	long := bytes.Repeat([]byte("x"), 2000)
	change := func(at int, to byte) []byte {
		other := bytes.Clone(long)
		other[at] = to
		return other
	}
	pairs := [][2][]byte{
		{[]byte("a"), []byte("A")},
		{[]byte("a"), []byte("a\x00")},
		{[]byte("a"), []byte("a ")},
		{[]byte("a"), []byte("a\n")},
		{[]byte("1"), []byte("01")},
		{[]byte("1"), []byte("1.0")},
		{[]byte("\xc3\xa9"), []byte("e\xcc\x81")}, // two forms of é
		{{0}, {0, 0}},
		{{0xff}, {0xfe}},
		{long, change(0, 'y')},
		{long, change(1999, 'y')},
		{long, change(1999, 0)},
		{long, long[:1999]},
	}
	for at := 1; at < len(long); at = at*3/2 + 1 {
		pairs = append(pairs, [2][]byte{long, change(at, 'y')})
	}
	for _, pair := range pairs {
		one, other := k.key(), k.key()
		k.create(one, pair[0])
		k.create(other, pair[1])
		k.mustNotSwap(one, pair[1], third, alive)
		k.mustNotSwap(other, pair[0], third, alive)
		k.wantValue(one, pair[0])
		k.wantValue(other, pair[1])
	}
}

func badNew(k *kit) {
	absent, present := k.key(), k.key()
	k.create(present, first)
	for _, new := range [][]byte{nil, {}, make([]byte, store.MaxValue+1)} {
		what := fmt.Sprintf("new of %d bytes", len(new))
		k.mustRefuse(what, absent, nil, new, alive)
		k.mustRefuse(what, absent, first, new, alive)
		k.mustRefuse(what, present, first, new, alive)
	}
	k.wantAbsent(absent)
	k.wantValue(present, first)
}

func badOld(k *kit) {
	absent, present := k.key(), k.key()
	k.create(present, first)
	k.mustRefuse("absent", absent, []byte{}, second, alive)
	k.mustRefuse("present", present, []byte{}, second, alive)
	k.mustRefuse("present", present, first[:0], second, alive)
	k.wantAbsent(absent)
	k.wantValue(present, first)
}

func copiesNew(k *kit) {
	key, value := k.key(), bytes.Clone(first)
	k.create(key, value)
	copy(value, "xxxxx")
	k.wantValue(key, first)

	old, new := bytes.Clone(first), bytes.Clone(second)
	k.mustSwap(key, old, new, alive)
	if !bytes.Equal(old, first) || !bytes.Equal(new, second) {
		k.Errorf("the store changed its arguments")
	}
	copy(new, "xxxxxx")
	copy(old, "xxxxx")
	k.wantValue(key, second)
	k.mustSwap(key, second, first, alive)
}

func keepsReturned(k *kit) {
	key := k.key()
	k.create(key, first)
	returned, _ := k.get(key)
	want := bytes.Clone(returned)
	k.mustSwap(key, first, third, alive)
	k.mustSwap(key, third, []byte("xxxxx"), alive)
	k.get(key)
	k.delete(key)
	for range 20 {
		k.create(k.key(), []byte("yyyyy"))
	}
	k.create(key, []byte("zzzzz"))
	k.get(key)
	if !bytes.Equal(returned, want) {
		k.Errorf("the bytes that Get had returned became %s", shown(returned))
	}
}
