package kit

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"healthcare/models"
)

var hugeNumber = regexp.MustCompile(`^[0-9]{19,}$`)

// documentedForm is a request as the description has it: GET for HEAD, a slash at the end of the API's paths, no empty
// parameters, which count as absent, and no numbers that kin-openapi cannot read.
func documentedForm(req *http.Request) *http.Request {
	r := req.Clone(context.Background())
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	if strings.HasPrefix(path, "/api/") || path == "" {
		path += "/"
	}
	if screen, ok := strings.CutPrefix(path, "/console/"); ok { // which may hold slashes
		path = "/console/" + strings.ReplaceAll(screen, "/", "-")
	}
	r.URL.Path, r.URL.RawPath = path, ""
	query := r.URL.Query()
	for name := range query {
		if value := query.Get(name); strings.TrimSpace(value) == "" {
			query.Del(name)
		} else if hugeNumber.MatchString(value) {
			query.Set(name, value[:18])
		}
	}
	r.URL.RawQuery = query.Encode()
	return r
}

// trimmed is a body with its texts trimmed and its names in NFKC, as the API makes them before it checks.
func trimmed(raw []byte) []byte {
	var object map[string]any
	if json.Unmarshal(raw, &object) != nil {
		return raw
	}
	for name, value := range object {
		if text, ok := value.(string); ok && !strings.Contains(name, "password") {
			object[name] = models.Trim(text)
			if name == "username" || name == "email" {
				object[name] = norm.NFKC.String(models.Trim(text))
			}
		}
	}
	out, err := json.Marshal(object)
	if err != nil {
		return raw
	}
	return out
}
