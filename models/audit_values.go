package models

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"
)

// digestFormat is the first format of seals that are made of a digest of an event's values, not of the values. So these
// can be erased, and the seal still holds: what takes their place names the digest. Only who has the key can make it.
const digestFormat = 3

// erasedValues is what an event's changes are once they are erased.
type erasedValues struct {
	Erased string `json:"erased"` // hex, see withoutValues
}

// erased is what stands in the place of erased values; false if nothing was erased. (The changes of fields never look
// like that: each of them is an object.)
func (c Changes) erased() ([]byte, bool) {
	var e erasedValues
	if !strings.HasPrefix(string(c), `{"erased":"`) || json.Unmarshal([]byte(c), &e) != nil {
		return nil, false
	}
	kept, err := hex.DecodeString(e.Erased)
	return kept, err == nil
}

// rowMAC is the HMAC of an event in a seal of a format, by a hash of auditKey.newMAC; nil of an event whose values were
// erased by somebody without the key.
func rowMAC(h hash.Hash, format int, e Event) []byte {
	kept, erased := e.Changes.erased()
	if format >= digestFormat {
		if !erased {
			kept = digest(h, e)
		}
		return eventMAC(h, e, hex.EncodeToString(kept))
	}
	if !erased {
		return eventMAC(h, e, string(e.Changes))
	}
	if len(kept) != 2*macSize || !hmac.Equal(kept[macSize:], erasedMAC(h, e, kept[:macSize])) {
		return nil
	}
	return kept[:macSize]
}

// withoutValues is what takes the place of an event's values in a seal of a format: their digest or, as earlier formats
// have none, the HMAC of the event as it was, and another that keeps what is left of the event as it is.
func withoutValues(h hash.Hash, format int, e Event) Changes {
	kept := digest(h, e)
	if format < digestFormat {
		kept = rowMAC(h, format, e)
		kept = append(kept, erasedMAC(h, e, kept)...)
	}
	text, err := json.Marshal(erasedValues{hex.EncodeToString(kept)})
	if err != nil {
		panic(err) // of a text: cannot happen
	}
	return Changes(text)
}

func digest(h hash.Hash, e Event) []byte { return macOf(h, "values", e.ID, string(e.Changes)) }

func erasedMAC(h hash.Hash, e Event, was []byte) []byte {
	return macOf(h, "erased", hex.EncodeToString(eventMAC(h, e, hex.EncodeToString(was))))
}

// eventMAC is of an event with something in the place of its changes.
func eventMAC(h hash.Hash, e Event, changes string) []byte {
	return macOf(h, e.ID, e.At.UnixMicro(), e.UserID, e.Action, e.Object, e.ObjectID, e.PatientID, []int64(e.PatientIDs), changes,
		e.Address, e.Outcome, e.RequestID)
}

func macOf(h hash.Hash, values ...any) []byte {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // of numbers and strings: cannot happen
	}
	h.Reset()
	h.Write(text)
	return h.Sum(nil)[:macSize:macSize]
}
