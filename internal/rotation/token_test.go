package rotation

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

func someRefreshToken(generation uint64) Token {
	return NewToken(newSecret(), newFamilyID(), newFamilyID(), generation)
}

// spell writes a token of which everything can be wrong, with a check that is
// right.
func spell(version byte, tail ...byte) string {
	b := append([]byte{version}, tail...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b)
}

func TestRefreshTokensAreReadAsTheyWereWritten(t *testing.T) {
	for _, generation := range []uint64{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<28 + 1, maxGeneration} {
		token := someRefreshToken(generation)
		if got, ok := ParseToken(token.String()); !ok || got != token {
			t.Errorf("generation %d: %v %v", generation, got, ok)
		}
	}
}

func TestSizeOfARefreshTokenIsBounded(t *testing.T) {
	first, last := someRefreshToken(0).String(), someRefreshToken(maxGeneration).String()
	if len(first) != len(refreshPrefix)+51 || len(last) != len(refreshPrefix)+56 || len(last) > 128 {
		t.Errorf("%d and %d bytes", len(first), len(last))
	}
}

// ASVS 5.0, 1.1.1.
func TestRefreshTokenHasOneSpelling(t *testing.T) {
	good := someRefreshToken(300)
	text := good.String()
	body := strings.TrimPrefix(text, refreshPrefix)
	id, mac := good.Seed[:], good.mac[:]
	join := func(parts ...[]byte) (b []byte) {
		for _, part := range parts {
			b = append(b, part...)
		}
		return b
	}
	if spell(refreshVersion, join(id, []byte{0xac, 0x02}, mac)...) != text {
		t.Fatal("spell does not spell")
	}
	for rule, other := range map[string]string{
		"empty":                    "",
		"the prefix alone":         refreshPrefix,
		"no prefix":                body,
		"the prefix twice":         refreshPrefix + text,
		"the prefix in upper case": strings.ToUpper(refreshPrefix) + body,
		"padded":                   text + "=",
		"a space before":           " " + text,
		"a space after":            text + " ",
		"a line feed after":        text + "\n",
		"CR LF after":              text + "\r\n",
		"a line feed inside":       text[:30] + "\n" + text[30:],
		"a carriage return inside": text[:30] + "\r" + text[30:],
		"a NUL after":              text + "\x00",
		"one character more":       text + "A",
		"one character less":       text[:len(text)-1],
		"the other alphabet":       refreshPrefix + strings.Repeat("+", len(body)),
		"the first version":        spell(1, join(id, []byte{0xac, 0x02}, mac)...),
		"another version":          spell(3, join(id, []byte{0xac, 0x02}, mac)...),
		"version 0":                spell(0, join(id, []byte{0xac, 0x02}, mac)...),
		"a leading zero":           spell(refreshVersion, join(id, []byte{0xac, 0x82, 0x00}, mac)...),
		"zero in two bytes":        spell(refreshVersion, join(id, []byte{0x80, 0x00}, mac)...),
		"a generation too high":    spell(refreshVersion, join(id, binary.AppendUvarint(nil, maxGeneration+1), mac)...),
		"the highest uint64":       spell(refreshVersion, join(id, binary.AppendUvarint(nil, 1<<64-1), mac)...),
		"a generation of 70 bits":  spell(refreshVersion, join(id, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, mac)...),
		"a generation without end": spell(refreshVersion, join(id, []byte(strings.Repeat("\xff", 18)))...),
		"a short MAC":              spell(refreshVersion, join(id, []byte{0x01}, mac[1:])...),
		"a long MAC":               spell(refreshVersion, join(id, []byte{0x01}, mac, []byte{0})...),
		"no MAC":                   spell(refreshVersion, join(id, []byte{0x01})...),
		"a wrong check":            refreshPrefix + base64.RawURLEncoding.EncodeToString(append(join([]byte{refreshVersion}, id, []byte{0x01}, mac), 0, 0, 0, 0)),
		"half a megabyte":          text + strings.Repeat("A", 500_000),
	} {
		if got, ok := ParseToken(other); ok || got != (Token{}) {
			t.Errorf("%s is accepted", rule)
		}
	}
	for n := range len(text) {
		if _, ok := ParseToken(text[:n]); ok {
			t.Errorf("its first %d bytes are accepted", n)
		}
	}
}

// ASVS 5.0, 2.2.1.
// The check finds every change of a byte, so noise costs no read of the store. The
// last character of the longest spelling has bits to spare, which must be zero.
func TestEveryOtherByteIsRefused(t *testing.T) {
	for _, generation := range []uint64{0, 300, maxGeneration} {
		text := []byte(someRefreshToken(generation).String())
		for at, was := range text {
			for b := range 256 {
				if text[at] = byte(b); text[at] == was {
					continue
				}
				if _, ok := ParseToken(string(text)); ok {
					t.Fatalf("generation %d: byte %d as %#x is accepted", generation, at, b)
				}
			}
			text[at] = was
		}
	}
}

// The MAC is over the family, the generation and the salt, by the secret.
func TestMACBindsAllOfTheToken(t *testing.T) {
	secret, id, salt := newSecret(), newFamilyID(), newFamilyID()
	token := NewToken(secret, id, salt, 5)
	otherID, otherGeneration := token, token
	otherID.Seed[0] ^= 1
	otherGeneration.Generation++
	for rule, authentic := range map[string]bool{
		"another family":     otherID.Authentic(secret, salt),
		"another generation": otherGeneration.Authentic(secret, salt),
		"another salt":       token.Authentic(secret, newFamilyID()),
		"another secret":     token.Authentic(newSecret(), salt),
		"no secret":          token.Authentic(nil, salt),
	} {
		if authentic {
			t.Errorf("%s: the MAC is valid", rule)
		}
	}
	for bit := range 8 * refreshMACSize {
		flipped := token
		flipped.mac[bit/8] ^= 1 << (bit % 8)
		if flipped.Authentic(secret, salt) {
			t.Errorf("bit %d of the MAC does not matter", bit)
		}
	}
	if !token.Authentic(secret, salt) {
		t.Error("the MAC is not good")
	}
}

// ASVS 5.0, 2.2.1.
// A token is read only as it would be written.
func FuzzRefreshToken(f *testing.F) {
	f.Add(someRefreshToken(0).String())
	f.Add(someRefreshToken(maxGeneration).String())
	f.Add(spell(refreshVersion, make([]byte, 33)...))
	f.Add(refreshPrefix)
	f.Fuzz(func(t *testing.T, text string) {
		token, ok := ParseToken(text)
		if ok && token.String() != text {
			t.Errorf("%q is read as %q", text, token)
		}
		if !ok && token != (Token{}) {
			t.Errorf("%q: a token beside the refusal", text)
		}
	})
}

func newFamilyID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret
}
