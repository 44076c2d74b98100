package strictjson_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/strictjson"
)

// payload is that of an access token.
const payload = `{"iss":"https://issuer.test","sub":"alice","aud":"https://api.test","exp":1800000600,"iat":1800000000,"jti":"1","client_id":"app","scope":"read write"}`

func TestObjectsAreStrict(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	many := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"m%d":%d,`, i, i)
		}
		return "{" + b.String() + more + "}"
	}
	good := []string{
		`{}`, ` { } `, `{"a":1}`, "\t\r\n {\"a\" : [ 1 , 2 ] , \"b\" : { } }\n", `{"":1}`, `{"a":[]}`, `{"a":{}}`,
		`{"a":0,"b":-0,"c":10,"d":1.5,"e":1e5,"f":1E+5,"g":-1.25e-7,"h":0.0}`, `{"a":true,"b":false,"c":null}`,
		`{"a":"\"\\\/\b\f\n\r\t\u0041\u00e9\u2028"}`, `{"a":"\ud83d\ude00","b":"\uD83D\uDE00"}`, `{"a":"é€😀\u007f"}`,
		`{"a":1,"b":{"a":1}}`, `{"a":[{"b":1},{"b":1}]}`, `{"a":{"b":1,"B":1}}`, "{\"a\":\"\ufffd\"}", deep(16), many(17, `"x":1`), many(5000, `"x":1`),
	}
	for _, text := range good {
		if err := strictjson.CheckObject([]byte(text)); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
		parsedAsChecked(t, []byte(text))
	}
	bad := []string{
		``, ` `, `null`, `1`, `"a"`, `[]`, `[{}]`, `{`, `}`, `{}}`, `{}{}`, `{}x`, "{}\x00", "\x00{}", `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,"a":1}`, `{"a":1,}"b":2}`,
		`{"a":1 "b":2}`, `{"a" 1}`, `{a:1}`, `{'a':1}`, `{1:1}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":[}`, `{"a":[1,]2]}`,
		`{"a":01}`, `{"a":-}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":--1}`, `{"a":1.2.3}`, `{"a":00}`, `{"a":1_0}`,
		`{"a":tru}`, `{"a":True}`, `{"a":nullx}`, `{"a":undefined}`,
		`{"a":"x}`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\U0041"}`, "{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x1f\"}", `{"a":"\`, `{"a":"\"}`,
		"\ufeff{}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf5\x80\x80\x80\"}", "{\"a\":\"\xe2\x82\"}", "{\"\xff\":1}",
		`{"a":"\ud800"}`, `{"a":"\udc00"}`, `{"a":"\ud800\ud800"}`, `{"a":"\ud800x"}`, `{"a":"\udc00\udc00"}`, `{"a":"\ud800\n"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud800\u0041"}`, `{"\ud800":1}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\u0061":1,"a":2}`, `{"\/":1,"/":2}`, `{"😀":1,"\ud83d\ude00":2}`, `{"x":{"a":1,"a":2}}`, `{"x":[[{"a":1,"a":2}]]}`,
		`{"a":1,"A":2}`, `{"s":1,"ſ":2}`, `{"k":1,"` + "\u212a" + `":2}`, `{"ß":1,"ẞ":2}`, deep(17), `{"a":` + strings.Repeat("[", 100_000), many(17, `"m3":1`), many(17, `"M3":1`), many(40, `"m39":1`),
		many(20, `"x":{"a":1,"a":2}`), "{\u00a0}", "{\v}", "/**/{}", `{"a":1//x` + "\n}",
	}
	for _, text := range bad {
		if err := strictjson.CheckObject([]byte(text)); err == nil {
			t.Errorf("accepted %.60q", text)
		}
		parsedAsChecked(t, []byte(text))
	}
}

func TestLargeObjectsCostNoQuadraticTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("{")
	for i := range 100_000 {
		fmt.Fprintf(&b, `"%x":1,`, i)
	}
	b.WriteString(`"last":1}`)
	// Comparing the names one by one would take minutes.
	check(t, strictjson.CheckObject([]byte(b.String())))
}

// duplicate reports whether a member occurs twice. It is an independent implementation
// with encoding/json.
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

// ASVS 5.0, 1.5.3.
// Accepted text is valid JSON for encoding/json, has no duplicate member, and has the
// same value after decoding and encoding.
func FuzzCheckObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, payload, `{"a":{"b":[1,2,{"c":"\ud83d\ude00"}]}}`, `{"a":1,"\u0061":1}`, `{"a":-1.5e+7,"b":null}`, `{"ſ":1,"s":2}`, `{"a":1,}"b":2}`,
		strings.Repeat(`{"a":`, 17), `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"F":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		parsedAsChecked(t, text)
		if strictjson.CheckObject(text) != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("accepted %q", text)
		}
		if duplicate(t, text) {
			t.Fatalf("a member stands twice in %q", text)
		}
		var first map[string]any
		decode(t, text, &first)
		again, err := json.Marshal(first)
		check(t, err)
		if err := strictjson.CheckObject(again); err != nil {
			t.Fatalf("%q, encoded again as %q: %v", text, again, err)
		}
		var second map[string]any
		decode(t, again, &second)
		if fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("%q became %q", text, again)
		}
		seen := slices.Collect(maps.Keys(strictjson.Members(text)))
		if len(seen) != len(first) {
			t.Fatalf("%d members, encoding/json sees %d in %q", len(seen), len(first), text)
		}
		for name, value := range strictjson.Members(text) {
			var one any
			decode(t, []byte(value), &one)
			if want, ok := first[name]; !ok || fmt.Sprint(one) != fmt.Sprint(want) {
				t.Fatalf("member %q is %q", name, value)
			}
		}
	})
}

// parsedAsChecked checks that ParseObject accepts what CheckObject accepts, and returns
// the members that a second walk over the text finds.
func parsedAsChecked(t testing.TB, text []byte) {
	t.Helper()
	members, err := strictjson.ParseObject(text)
	if want := strictjson.CheckObject(text); err != want {
		t.Fatalf("%.60q: error %v, CheckObject says %v", text, err, want)
	}
	if err != nil {
		if members != nil {
			t.Fatalf("%.60q: members beside error %v", text, err)
		}
		return
	}
	walked := slices.Collect(strictjson.Object(text).Members)
	same := func(a, b strictjson.Member) bool {
		return bytes.Equal(a.Quoted, b.Quoted) && bytes.Equal(a.Name, b.Name) && bytes.Equal(a.Value, b.Value)
	}
	if !slices.EqualFunc(members, walked, same) {
		t.Fatalf("%.60q: members %q, a walk finds %q", text, members, walked)
	}
}

func TestParsedMembersAreThoseOfTheTopLevel(t *testing.T) {
	members, err := strictjson.ParseObject([]byte(` { "a" : {"b":[1, {"c":2}]} , "\u0064":"e" }`))
	check(t, err)
	if len(members) != 2 || string(members[0].Value) != `{"b":[1, {"c":2}]}` || string(members[1].Name) != "d" || string(members[1].Quoted) != `"\u0064"` {
		t.Errorf("%q", members)
	}
}

func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	check(t, decoder.Decode(into))
}

func TestStrictScanAllocatesNothing(t *testing.T) {
	text := []byte(payload)
	if n := testing.AllocsPerRun(100, func() { strictjson.CheckObject(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckObject(b *testing.B) {
	text := []byte(payload)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		strictjson.CheckObject(text)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
