package strictjson

import "testing"

// Space may stand wherever RFC 8259, 2 allows it.
func TestMembersAreFoundAmongSpace(t *testing.T) {
	const text = " \t\r\n{ \n\"a\" \t: \r1 ,\n \"b\"\t:\n{ \"c\" : [ 2 , 3 ] }\r, \"d\" : \"e\" } "
	if err := CheckObject([]byte(text)); err != nil {
		t.Fatal(err)
	}
	got := Members([]byte(text))
	for name, want := range map[string]string{"a": "1", "b": "{ \"c\" : [ 2 , 3 ] }", "d": `"e"`} {
		if got[name] != want || len(got) != 3 {
			t.Errorf("%s is %q of %q", name, got[name], got)
		}
	}
}

func TestTextThatIsNotUnicodeIsNamedAsSuch(t *testing.T) {
	for text, want := range map[string]error{
		"\x7f": nil, "\x80": errUTF8, "\xc3": errUTF8, "\xed\xa0\x80": errUTF8, "é": nil, "\ufffd": nil, "\x1f": errJSON,
		`\ud7ff`: nil, `\ue000`: nil, `\ud800\udc00`: nil, `\udbff\udfff`: nil, `\udbff\udc00`: nil,
		`\ud800`: errUTF8, `\udbff`: errUTF8, `\udc00`: errUTF8, `\udfff`: errUTF8,
		`\ud800\udbff`: errUTF8, `\ud800\ue000`: errUTF8, `\ud800\u0041`: errUTF8, `\u004`: errJSON, `\x`: errJSON,
	} {
		if err := CheckObject([]byte(`{"a":"` + text + `"}`)); err != want {
			t.Errorf("%q as a value: %v, want %v", text, err, want)
		}
		if err := CheckObject([]byte(`{"` + text + `":1}`)); err != want {
			t.Errorf("%q as a name: %v, want %v", text, err, want)
		}
	}
}
