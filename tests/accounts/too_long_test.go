package accounts

import (
	"context"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/apierror"
	"healthcare/models"
	"healthcare/tests/kit"
)

// manifold is the character that NFKC makes the longest text of: 18 characters.
const manifold = "\ufdfa"

// authRoutes are the routes of /api/auth/ that read a body.
func authRoutes(api *kit.API) (routes [][2]string) {
	for _, r := range api.Routes {
		if strings.HasPrefix(r.Path, "/api/auth/") && !strings.HasSuffix(r.Path, "/") && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
			routes = append(routes, [2]string{r.Method, r.Path})
		}
	}
	return routes
}

// chunked sends a body without saying how long it is.
func chunked(c *kit.Client, method, path, body string) *kit.Response {
	req, err := http.NewRequestWithContext(c.T.Context(), method, c.API.URL+path, io.MultiReader(strings.NewReader(body)))
	require.NoError(c.T, err)
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil } // for who checks the request
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.Token)
	return c.Send(req)
}

func TestBodiesOfSigningInAreSmall(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		ana := api.User("ana")
		before := api.Contents()
		routes := authRoutes(api)
		assert.Len(t, routes, 9)
		const most = 16 << 10
		fits := `{"nonsense": 1` + strings.Repeat(" ", most-15) + "}"
		for _, route := range routes {
			for name, send := range map[string]func(method, path, body string) *kit.Response{
				"with its length": ana.Raw, "chunked": func(method, path, body string) *kit.Response { return chunked(ana, method, path, body) },
			} {
				what := route[1] + " " + name
				if route[1] != "/api/auth/logout" { // which would end the session
					assert.NotEqual(t, http.StatusRequestEntityTooLarge, send(route[0], route[1], fits).Status, what)
				}
				for _, large := range []string{fits + " ", fits + strings.Repeat(" ", 1<<20)} {
					r := send(route[0], route[1], large)
					assert.Equal(t, http.StatusRequestEntityTooLarge, r.Status, what)
					assert.Equal(t, "request_too_large", r.JSON["code"], what)
					assert.Equal(t, "The body must not be larger than 16 KiB.", r.JSON["detail"], what)
				}
			}
		}
		ana.AssertIn()
		assert.Equal(t, before, api.Contents())

		record := `{"name": "Petra"` + strings.Repeat(" ", 1<<20-17) + "}"
		chunked(ana, "POST", "/api/patients/", record).Expect(http.StatusCreated)
		r := chunked(ana, "POST", "/api/patients/", record+" ").Expect(http.StatusRequestEntityTooLarge)
		assert.Equal(t, "The body must not be larger than 1 MiB.", r.JSON["detail"])
	})
}

// It does not run beside others, whose work would count. On an idle machine the slowest answer takes 50 ms; with names of
// 1 MB and their lengths checked last, it took more than ten seconds.
func TestNamesThatAreTooLongAreAnsweredAtOnce(t *testing.T) {
	for name, fresh := range kit.Fresh {
		t.Run(name, func(t *testing.T) {
			api := kit.Start(t, kit.BaseConfig(fresh(t)))
			api.User("ana") // the first request waits until the description is read that all answers are held against
			text := strings.Repeat(manifold, (16<<10-100)/(3*5))
			long := kit.Object{"username": text, "email": text, "first_name": text, "last_name": text, "password": text}
			took := make([]time.Duration, 20)
			answers := kit.AtOnce(len(took), func(i int) *kit.Response {
				began := time.Now()
				defer func() { took[i] = time.Since(began) }()
				if i%2 == 0 {
					return api.Nobody().Post(kit.RegisterPath, long)
				}
				return api.TryLogin(strings.Repeat(text, 5), kit.Password)
			})
			assert.Equal(t, map[int]int{http.StatusBadRequest: len(took)}, kit.Tally(answers))
			assert.Less(t, slices.Max(took), 3*time.Second)
			t.Log("the slowest answer took", slices.Max(took))
			assert.Zero(t, api.Failures())
		})
	}
}

func TestWhatIsTooLongIsRefusedForThatAlone(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		for _, name := range []string{strings.Repeat("a", 255), strings.Repeat("ａ", 255), strings.Repeat(manifold, 15), strings.Repeat(manifold, 1000)} {
			r := api.TryLogin(name, kit.Password).Expect(http.StatusBadRequest)
			assert.Equal(t, kit.Object{"username": []any{"Ensure this field has no more than 254 characters."}}, r.JSON["errors"])
			r = api.Nobody().Post(kit.RegisterPath, kit.Object{"username": name, "email": name, "password": kit.Password}).Expect(http.StatusBadRequest)
			assert.Equal(t, "Ensure this field has no more than 150 characters.", r.Error("username"))
			assert.Equal(t, "Ensure this field has no more than 254 characters.", r.Error("email"))
		}
		assert.Zero(t, api.Failures())
	})
}

// Past HTTP, whose bodies are small: no name is folded that is too long, however long it is.
func TestNothingIsFoldedThatIsTooLong(t *testing.T) {
	const most = 64 << 10 // bytes; one folding of the text takes 20 MB
	text := strings.Repeat(manifold, 348_000)
	for name, fresh := range kit.Fresh {
		t.Run(name, func(t *testing.T) {
			api := kit.Start(t, kit.BaseConfig(fresh(t)))
			ana := api.User("ana")
			profile := models.ProfileFields{Email: text, FirstName: text, LastName: text}
			for what, attempt := range map[string]func(ctx context.Context) error{
				"registration": func(ctx context.Context) error {
					_, err := api.DB.CreateAdmin(ctx, models.Registration{UserFields: models.UserFields{Username: text, ProfileFields: profile}, Password: kit.Password})
					return err
				},
				"a password as long": func(ctx context.Context) error {
					_, err := api.DB.CreateAdmin(ctx, models.Registration{UserFields: models.UserFields{Username: "eve"}, Password: text})
					return err
				},
				"login": func(ctx context.Context) error {
					_, err := kit.SignIn(ctx, api.DB, models.Actor{}, text, kit.Password)
					return err
				},
				"profile": func(ctx context.Context) error {
					_, err := api.DB.UpdateProfile(ctx, models.Actor{User: models.User{ID: int64(ana.ID)}}, func(in *models.ProfileFields) apierror.Fields {
						*in = profile
						return apierror.Fields{}
					})
					return err
				},
				"changepassword": func(ctx context.Context) error { return api.DB.SetPassword(ctx, text, kit.NewPassword) },
			} {
				require.Error(t, attempt(t.Context()), what) // once, for what is made only the first time
				least := uint64(math.MaxUint64)
				for range 5 { // what else the process does meanwhile can only add to it
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					require.Error(t, attempt(t.Context()), what)
					runtime.ReadMemStats(&after)
					least = min(least, after.TotalAlloc-before.TotalAlloc)
				}
				assert.Less(t, least, uint64(most), what)
			}
		})
	}
}
