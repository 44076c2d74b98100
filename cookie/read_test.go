package cookie_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
)

// carrying returns a request with these Cookie headers.
func carrying(fields ...string) *http.Request {
	return &http.Request{Header: http.Header{"Cookie": fields}}
}

type readCase struct {
	name   string
	fields []string
	value  string
	err    error
}

// The policy of these cases has the name "id".
func readCases() []readCase {
	long := strings.Repeat("v", 4093-len("id"))
	return []readCase{
		{"no Cookie field", nil, "", nil},
		{"an empty field", []string{""}, "", nil},
		{"only separators", []string{" ; ;;\t;"}, "", nil},
		{"alone", []string{"id=v"}, "v", nil},
		{"first", []string{"id=v; a=b"}, "v", nil},
		{"last", []string{"a=b; id=v"}, "v", nil},
		{"without a space between", []string{"a=b;id=v;c=d"}, "v", nil},
		{"with white space around the pair", []string{"a=b;\t id=v \t; c=d"}, "v", nil},
		{"with a separator behind", []string{"id=v; "}, "v", nil},
		{"every cookie-octet", []string{"id=" + octets()}, octets(), nil},
		{"a value with = and the name", []string{"id=id=v"}, "id=v", nil},
		{"the longest value", []string{"id=" + long}, long, nil},
		{"beside bad cookies", []string{`a="b; =; x y; é=1; id=v; "`}, "v", nil},
		{"beside a name with this suffix", []string{"xid=a; x id=b; id=v"}, "v", nil},
		{"beside a name with this prefix", []string{"id2=a; id-=b; idid=c"}, "", nil},
		{"the name as a value", []string{"a=id; b=id=v"}, "", nil},
		{"in the second field", []string{"a=b", "id=v"}, "v", nil},
		{"another case", []string{"ID=a; Id=b; iD=c"}, "", nil},
		{"a nameless cookie", []string{"=id=a; =id"}, "", nil},

		{"15.3.7 twice", []string{"id=a; id=b"}, "", cookie.ErrMalformed},
		{"15.3.7 twice the same", []string{"id=a; x=y; id=a"}, "", cookie.ErrMalformed},
		{"15.3.7 in two fields", []string{"id=a", "id=b"}, "", cookie.ErrMalformed},
		{"a bad one behind", []string{"id=a; id="}, "", cookie.ErrMalformed},
		{"a bad one before", []string{"id; id=a"}, "", cookie.ErrMalformed},
		{"a second one with a space", []string{"id=a; id =b"}, "", cookie.ErrMalformed},
		{"empty", []string{"id="}, "", cookie.ErrMalformed},
		{"empty before a separator", []string{"id=;"}, "", cookie.ErrMalformed},
		{"without =", []string{"a=b; id"}, "", cookie.ErrMalformed},
		{"quoted", []string{`id="v"`}, "", cookie.ErrMalformed},
		{"quoted and open", []string{`id="v`}, "", cookie.ErrMalformed},
		{"a space before =", []string{"id =v"}, "", cookie.ErrMalformed},
		{"a space after =", []string{"id= v"}, "", cookie.ErrMalformed},
		{"a space inside", []string{"id=a b"}, "", cookie.ErrMalformed},
		{"a tab inside", []string{"id=a\tb"}, "", cookie.ErrMalformed},
		{"a comma", []string{"id=a,b"}, "", cookie.ErrMalformed},
		{"headers joined by a comma", []string{"id=a, x=y"}, "", cookie.ErrMalformed},
		{"a backslash", []string{`id=a\b`}, "", cookie.ErrMalformed},
		{"NUL", []string{"id=a\x00"}, "", cookie.ErrMalformed},
		{"a line break", []string{"id=a\r\n"}, "", cookie.ErrMalformed},
		{"DEL", []string{"id=a\x7f"}, "", cookie.ErrMalformed},
		{"not ASCII", []string{"id=ä"}, "", cookie.ErrMalformed},
		{"a byte too long", []string{"id=v" + long}, "", cookie.ErrMalformed},
		{"half a megabyte", []string{"id=" + strings.Repeat("v", 1<<19)}, "", cookie.ErrMalformed},
	}
}

// ASVS 5.0, 2.2.1 and 15.3.7.
func TestRead(t *testing.T) {
	p := cookie.New("id").InsecureAnywhere()
	for _, test := range readCases() {
		t.Run(test.name, func(t *testing.T) {
			value, ok, err := p.Read(carrying(test.fields...))
			if value != test.value || ok != (test.value != "") || !errors.Is(err, test.err) {
				t.Errorf("Read = %.40q, %v, %v", value, ok, err)
			}
		})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	p := cookie.New("id").InsecureAnywhere()
	for _, test := range readCases() {
		r := carrying(test.fields...)
		if n := testing.AllocsPerRun(10, func() { p.Read(r) }); n != 0 {
			t.Errorf("%s: %v allocations", test.name, n)
		}
	}
	bad := cookie.New("")
	r := carrying("id=v")
	if n := testing.AllocsPerRun(10, func() { bad.Read(r) }); n != 0 {
		t.Errorf("a policy with an error: %v allocations", n)
	}
	if n := testing.AllocsPerRun(10, func() { cookie.Policy{}.Read(r) }); n != 0 {
		t.Errorf("the zero Policy: %v allocations", n)
	}
}

// Read returns the value that Set wrote.
func TestReadReturnsWhatSetWrote(t *testing.T) {
	for _, p := range []cookie.Policy{cookie.Session(), cookie.Refresh(), cookie.Preference("lang"), cookie.New("x").Domain("a.example")} {
		for _, value := range []string{"v", octets(), strings.Repeat("v", 4093-len(p.Name()))} {
			h := http.Header{}
			if err := p.Set(h, nil, value); err != nil {
				t.Fatal(err)
			}
			pair, _, _ := strings.Cut(h.Get("Set-Cookie"), "; ")
			if got, ok, err := p.Read(carrying(pair)); got != value || !ok || err != nil {
				t.Errorf("%s: Read = %.40q, %v, %v", p.Name(), got, ok, err)
			}
		}
	}
}

// hugeHeaders are headers that could make a reader stop early, slow down or
// allocate.
func hugeHeaders() map[string][]string {
	many := strings.Repeat("a=b; ", 3000)
	fields := make([]string, 3001)
	for i := range fields {
		fields[i] = "a=b"
	}
	fields[1500] = "id=v"
	return map[string][]string{
		"3001 cookies":             {many + "id=v"},
		"3001 fields":              fields,
		"a mebibyte of cookies":    {strings.Repeat("a=b; ", 1<<20/5) + "id=v"},
		"a mebibyte of separators": {strings.Repeat(";", 1<<20) + "id=v"},
		"a mebibyte of spaces":     {strings.Repeat(" ", 1<<20) + "id=v" + strings.Repeat("\t", 1<<20)},
		"a mebibyte of one cookie": {"a=" + strings.Repeat("b", 1<<20) + "; id=v"},
		"a mebibyte of near names": {strings.Repeat("idx=1;", 1<<20/6) + "id=v"},
		"a mebibyte of =":          {strings.Repeat("=", 1<<20) + ";id=v"},
	}
}

func TestReadHugeHeaders(t *testing.T) {
	p := cookie.New("id").InsecureAnywhere()
	for name, fields := range hugeHeaders() {
		t.Run(name, func(t *testing.T) {
			r := carrying(fields...)
			if value, ok, err := p.Read(r); value != "v" || !ok || err != nil {
				t.Errorf("Read = %q, %v, %v", value, ok, err)
			}
			if n := testing.AllocsPerRun(3, func() { p.Read(r) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// reference is an independent reader, simple and slow: it collects all pairs
// with the name and then judges them.
func reference(r *http.Request, name string) (string, error) {
	var values []string
	for pair := range strings.SplitSeq(strings.Join(r.Header["Cookie"], ";"), ";") {
		pair = strings.Trim(pair, " \t")
		key, value, found := strings.Cut(pair, "=")
		if strings.TrimRight(key, " \t") != name {
			continue
		}
		if !found || key != name {
			value = "bad value"
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return "", nil
	}
	value := values[0]
	if len(values) > 1 || value == "" || len(name)+len(value) > 4093 {
		return "", cookie.ErrMalformed
	}
	for i := range len(value) {
		if !strings.Contains(octets(), value[i:i+1]) {
			return "", cookie.ErrMalformed
		}
	}
	return value, nil
}

// FuzzRead checks that Read agrees with reference, and that the header contains
// the returned value exactly once, directly after the name.
func FuzzRead(f *testing.F) {
	for _, c := range readCases() {
		f.Add(strings.Join(c.fields, "\n"))
	}
	p := cookie.New("id").InsecureAnywhere()
	f.Fuzz(func(t *testing.T, header string) {
		fields := strings.Split(header, "\n")
		r := carrying(fields...)
		value, ok, err := p.Read(r)
		want, wantErr := reference(r, "id")
		if value != want || ok != (want != "") || err != wantErr {
			t.Fatalf("Read = %q, %v, %v; want %q, %v", value, ok, err, want, wantErr)
		}
		if ok && literally(fields, "id="+value) != 1 {
			t.Fatalf("the header does not contain %q exactly once", value)
		}
	})
}

// literally counts the pairs in all headers that are exactly pair.
func literally(fields []string, pair string) (n int) {
	for _, field := range fields {
		for p := range strings.SplitSeq(field, ";") {
			if strings.Trim(p, " \t") == pair {
				n++
			}
		}
	}
	return n
}

// BenchmarkRead shows that the time per byte does not grow with the header.
func BenchmarkRead(b *testing.B) {
	p := cookie.Session()
	for _, cookies := range []int{1, 10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("cookies=%d", cookies), func(b *testing.B) {
			header := strings.Repeat("name=value; ", cookies-1) + "__Host-Http-session=" + strings.Repeat("v", 43)
			r := carrying(header)
			b.SetBytes(int64(len(header)))
			b.ReportAllocs()
			for b.Loop() {
				p.Read(r)
			}
		})
	}
}
