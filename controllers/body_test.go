package controllers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/models"
)

// kinds has a field of every kind that a record may want, and some that none should.
type kinds struct {
	Text   string      `json:"text"`
	Day    models.Date `json:"day"`
	Yes    bool        `json:"yes"`
	Whole  int         `json:"whole"`
	Small  int8        `json:"small"`
	Count  uint8       `json:"count"`
	Size   float64     `json:"size"`
	At     time.Time   `json:"at"`
	MaybeY *bool       `json:"maybe_yes"`
	MaybeW *int        `json:"maybe_whole"`
	MaybeS *float64    `json:"maybe_size"`
	MaybeT *string     `json:"maybe_text"`
	MaybeA *time.Time  `json:"maybe_at"`
	Level  int         `json:"level" default:"7"`
	Since  *time.Time  `json:"since" default:"2026-01-31T00:00:00Z"`
	Known  bool        `json:"known" default:"true"`

	List   []string          `json:"list"`
	Map    map[string]string `json:"map"`
	Struct struct{ A int }   `json:"struct"`
	Any    any               `json:"any"`
	Chan   chan int          `json:"chan"`
	Func   func()            `json:"func"`
}

func bound(t *testing.T, bind func(body) models.Bind[kinds], text string) (in kinds, errs map[string][]string) {
	t.Helper()
	fields, err := parseObject([]byte(text))
	require.NoError(t, err)
	errs = bind(body{fields: fields})(&in)
	return in, errs
}

func TestEachKindOfFieldIsReadFromABody(t *testing.T) {
	in, errs := bound(t, bindAll[kinds, kinds], `{"text": " a ", "day": "2026-01-31", "yes": true, "whole": "-5", "small": 127, "count": 255, "size": 1.5,
		"at": "2026-01-31T08:00:00.1234567+01:00", "maybe_yes": false, "maybe_whole": 0, "maybe_size": 2, "maybe_text": "", "maybe_at": "2026-01-31T07:00:00Z"}`)
	require.Empty(t, errs)
	at := time.Date(2026, 1, 31, 7, 0, 0, 123_456_000, time.UTC)
	assert.Equal(t, kinds{
		Text: "a", Day: "2026-01-31", Yes: true, Whole: -5, Small: 127, Count: 255, Size: 1.5, At: at,
		MaybeY: new(false), MaybeW: new(0), MaybeS: new(2.0), MaybeT: new(""), MaybeA: new(at.Truncate(time.Second)),
		Level: 7, Since: new(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)), Known: true,
	}, in)
	in, errs = bound(t, bindGiven[kinds, kinds], `{"maybe_yes": null, "maybe_whole": null, "maybe_at": null, "level": null, "text": null, "list": null, "any": null}`)
	require.Empty(t, errs)
	assert.Equal(t, kinds{Level: 7}, in)
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	const says = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ss[.uuuuuu][+HH:MM|-HH:MM|Z]."
	for _, value := range []string{
		`"5"`, `5`, `""`, `"2026-01-31"`, `"2026-01-31T08:00:00"`, `"2026-01-31 08:00:00Z"`, `"2026-02-30T08:00:00Z"`, `"2026-01-31T8:00:00Z"`,
		`"0001-01-01T00:30:00+01:00"`, `"9999-12-31T23:30:00-01:00"`, `true`, `[]`, `{}`, `"` + "2026-01-31T08:00:00+25:00" + `"`,
	} {
		_, errs := bound(t, bindGiven[kinds, kinds], `{"at": `+value+`, "maybe_at": `+value+`}`)
		assert.Equal(t, map[string][]string{"at": {says}, "maybe_at": {says}}, errs, value)
	}
	_, errs := bound(t, bindGiven[kinds, kinds], `{"at": null}`)
	assert.Equal(t, map[string][]string{"at": {"This field may not be null."}}, errs)
	for _, last := range []string{`"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999Z"`, `"10000-01-01T00:00:00+01:00"`} {
		in, errs := bound(t, bindGiven[kinds, kinds], `{"at": `+last+`}`)
		assert.Equal(t, last[1] == '1', len(errs) > 0, "%s: %v", last, in.At) // a year of five digits is none
	}
}

func TestNoValueOfAnyKindPanics(t *testing.T) {
	for name := range models.JSONFields[kinds]() {
		for _, value := range []string{`"5"`, `5`, `-5`, `5.5`, `1e999`, `99999999999999999999`, `true`, `"x"`, `""`, `[]`, `[5]`, `{}`, `{"A": "x"}`, `null`} {
			assert.NotPanics(t, func() { bound(t, bindGiven[kinds, kinds], `{"`+name+`": `+value+`}`) }, "%s: %s", name, value)
		}
	}
	_, errs := bound(t, bindGiven[kinds, kinds], `{"small": 128, "count": -1, "size": "x", "maybe_yes": "x", "list": 5, "chan": 5, "whole": 1.5}`)
	assert.Equal(t, map[string][]string{
		"small": {"A valid integer is required."}, "count": {"A valid integer is required."}, "size": {"A valid number is required."},
		"maybe_yes": {"Must be a valid boolean."}, "list": {"Not a valid value."}, "chan": {"Not a valid value."}, "whole": {"A valid integer is required."},
	}, errs)
}
