package tests

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

// invisible are some of Unicode's default-ignorable characters.
var invisible = []string{"\u00ad", "\u034f", "\u115f", "\u200b", "\u200d", "\u202e", "\u2066", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\U000e0001", "\U000e01ef"}

func TestANameOfNothingVisibleIsBlank(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for _, kind := range kit.Records {
			one := oneOf(kind, c.Post(kind.Path, kind.Full).Expect(http.StatusCreated))
			before := api.Contents()
			for _, char := range invisible {
				for field := range kind.Required {
					wrong := kit.With(kind.Required, field, char+" \u00a0"+char)
					for _, r := range []*kit.Response{c.Post(kind.Path, wrong), c.Put(one, wrong), c.Patch(one, kit.Object{field: wrong[field]})} {
						assert.Equal(t, http.StatusBadRequest, r.Status, "%+q", char)
						assert.Equal(t, kit.Object{field: []any{"This field may not be blank."}}, r.JSON["errors"], "%+q", char)
					}
				}
				r := c.Patch(one, kit.Object{"email": "a" + char + "b@example.org"}).Expect(http.StatusBadRequest)
				assert.Equal(t, kit.Object{"email": []any{"Enter a valid email address."}}, r.JSON["errors"], "%+q", char)
			}
			assert.Equal(t, before, api.Contents())
		}
	})
}

func TestAnOptionalTextOfNothingVisibleIsEmpty(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for _, kind := range kit.Records {
			body := kit.Merge(kind.Required)
			for field, value := range kind.Defaults {
				if value == "" {
					body[field] = "\u200b \u3164\ufe0f"
				}
			}
			for range 2 { // two licence numbers of nothing are no duplicates
				r := c.Post(kind.Path, body).Expect(http.StatusCreated)
				for field, value := range kind.Defaults {
					assert.Equal(t, value, r.JSON[field], field)
				}
			}
		}
	})
}

func TestANameKeepsWhatItsScriptNeeds(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		c := api.User("ana")
		for _, name := range []string{"क्\u200dष", "می\u200cخواهم", "葛\U000e0100城"} {
			for _, kind := range kit.Records {
				r := c.Post(kind.Path, kit.With(kind.Required, "name", name)).Expect(http.StatusCreated)
				assert.Equal(t, name, r.JSON["name"])
			}
		}
	})
}
