package kit

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"testing"

	"github.com/stretchr/testify/require"
)

// SignToken makes an access token of any claims, under any key. An algorithm that it does not know signs nothing.
func SignToken(t testing.TB, algorithm, key string, claims Object) string {
	t.Helper()
	part := func(o Object) string {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	text := part(Object{"alg": algorithm, "typ": "JWT"}) + "." + part(claims)
	if hashes[algorithm] == nil {
		return text + "."
	}
	mac := hmac.New(hashes[algorithm], []byte(key))
	_, _ = mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
