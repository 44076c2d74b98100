package jose_test

import (
	"encoding/hex"
	"math/big"
)

func bigInt(bytes []byte) *big.Int { return new(big.Int).SetBytes(bytes) }

func decodeHex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return bytes
}
