package models

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/apierror"
)

func TestADateIsADayWhateverItsTagsSay(t *testing.T) {
	type vaccination struct {
		Given   Date   `json:"given" validate:"required"`
		Next    *Date  `json:"next"`
		Lot     Date   `json:"lot"`
		Born    Date   `json:"born" validate:"omitempty,born"`
		Vaccine string `json:"vaccine"`
	}
	for _, text := range []Date{"x", "29.02.2024", "2023-02-29", "2024-2-9", "2024-02-09T00:00:00Z", "0000-01-01", "10000-01-01", "null"} {
		wrong := []string{"Date has wrong format. Use one of these formats instead: YYYY-MM-DD."}
		in := vaccination{Given: text, Next: &text, Lot: text, Born: text, Vaccine: "x"}
		assert.Equal(t, apierror.Fields{"given": wrong, "next": wrong, "lot": wrong, "born": wrong}, Validate(&in), text)
	}
	for _, day := range []Date{"0001-01-01", "2024-02-29", "9999-12-31"} {
		assert.Empty(t, Validate(&vaccination{Given: day, Next: &day, Lot: day}), day)
	}
	assert.Equal(t, apierror.Fields{"given": {"This field may not be blank."}}, Validate(&vaccination{Next: new(Date)}))
}
