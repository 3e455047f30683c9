package models

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// pack is many seals in the row of the last of them. Their HMACs are left out, and most of those of their events: with the
// key, they are computed again from the events. That the result is the HMAC of the last seal proves them all, and shows
// each of them as it was. So packing changes nothing of what is proved; it only takes a tenth of the space.
//
// Differences are kept in the place of numbers, and each kind of them in a list, because that is what gzip makes small.
type pack struct {
	LastID  int64     `json:"last_id"` // the highest event id before these seals
	IDs     []int64   `json:"ids"`     // of the seals, each less the one before
	Ats     []int64   `json:"ats"`     // microseconds, each less the one before
	Events  [][]int64 `json:"events"`  // see ranges
	Pending []IDs     `json:"pending"`
	Gaps    []IDs     `json:"gaps"`
	Marks   []byte    `json:"marks"` // the first markSize bytes of each event's HMAC: they show which one was changed
}

const markSize = 4

// pack packs seals that follow one another and are of one key and one format. Before is the last event id before them.
func (k auditKey) pack(before int64, seals []Seal) (Seal, error) {
	p := pack{LastID: before}
	var at, id int64
	for _, s := range seals {
		p.IDs, p.Ats = append(p.IDs, s.ID-id), append(p.Ats, s.At.UnixMicro()-at)
		id, at = s.ID, s.At.UnixMicro()
		p.Events = append(p.Events, ranges(before, s.EventIDs))
		p.Pending, p.Gaps = append(p.Pending, s.Pending), append(p.Gaps, s.Gaps)
		macs, err := hex.DecodeString(s.RowMACs)
		if err != nil || len(macs) != macSize*len(s.EventIDs) {
			return Seal{}, errors.New("the HMACs of a seal's events are not whole")
		}
		for i := range s.EventIDs {
			p.Marks = append(p.Marks, macs[i*macSize:i*macSize+markSize]...)
		}
		before = s.LastID
	}
	var text bytes.Buffer
	z, err := gzip.NewWriterLevel(&text, gzip.BestCompression)
	if err != nil {
		return Seal{}, err
	}
	if err := errors.Join(json.NewEncoder(z).Encode(p), z.Close()); err != nil {
		return Seal{}, err
	}
	last := seals[len(seals)-1]
	last.EventIDs, last.Pending, last.RowMACs = IDs{}, IDs{}, ""
	last.Packed = append(k.packMAC(last.MAC, text.Bytes()), text.Bytes()...)
	return last, nil
}

// packMAC proves that a pack is as it was made.
func (k auditKey) packMAC(mac string, text []byte) []byte {
	h := k.newMAC()
	h.Write([]byte("pack " + mac + " "))
	h.Write(text)
	return h.Sum(nil)
}

// packed tells whether who has the key has packed a seal like this.
func (k auditKey) packed(s Seal) bool {
	return len(s.Packed) > sha256.Size && hmac.Equal(s.Packed[:sha256.Size], k.packMAC(s.MAC, s.Packed[sha256.Size:]))
}

// unpack is the seals that a row stands for, without the HMACs that were left out, and the marks of their events.
// A row that is not packed is one seal and has no marks. Look first whether the key made it.
func (s Seal) unpack() (seals []Seal, marks []byte, err error) {
	if len(s.Packed) == 0 {
		return []Seal{s}, nil, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(s.Packed[sha256.Size:]))
	if err != nil {
		return nil, nil, err
	}
	var p pack
	if err := json.NewDecoder(z).Decode(&p); err != nil {
		return nil, nil, err
	}
	var at, id int64
	last := p.LastID
	for i := range p.IDs {
		id, at = id+p.IDs[i], at+p.Ats[i]
		one := Seal{ID: id, At: time.UnixMicro(at).UTC(), Pending: p.Pending[i], Gaps: p.Gaps[i], Format: s.Format, KeyID: s.KeyID}
		one.EventIDs = idsOf(last, p.Events[i])
		for _, event := range one.EventIDs {
			last = max(last, event)
		}
		one.LastID = last
		seals = append(seals, one)
	}
	row := &seals[len(seals)-1] // whose columns are those of the row, so that they are proved as well
	row.ID, row.At, row.LastID, row.Gaps = s.ID, s.At, s.LastID, s.Gaps
	return seals, p.Marks, nil
}

// ranges are ids as pairs of numbers: how far a range begins after the end of the last one, and how many ids it has.
func ranges(last int64, ids IDs) []int64 {
	pairs := []int64{}
	for i, id := range ids {
		if i == 0 || id != last+1 {
			pairs = append(pairs, id-last-1, 0)
		}
		pairs[len(pairs)-1]++
		last = id
	}
	return pairs
}

func idsOf(last int64, pairs []int64) IDs {
	ids := IDs{}
	for i := 0; i < len(pairs); i += 2 {
		last += pairs[i]
		for range pairs[i+1] {
			last++
			ids = append(ids, last)
		}
	}
	return ids
}
