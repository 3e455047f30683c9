package accounts

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"healthcare/tests/kit"
)

func TestAccountsAreForStaff(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		for _, route := range [][2]string{
			{"GET", "/api/users/"}, {"GET", ana.AccountPath()}, {"GET", "/api/users/77/"}, {"PATCH", ana.AccountPath()}, {"PATCH", boss.AccountPath()},
			{"PATCH", "/api/users/77/"}, {"POST", ana.AccountPath() + "unlock/"}, {"POST", "/api/users/77/unlock/"},
			{"POST", ana.AccountPath() + "reset/"}, {"POST", "/api/users/"},
		} {
			r := ana.Do(route[0], route[1], kit.Object{"is_staff": true, "is_active": false})
			assert.Equal(t, http.StatusForbidden, r.Status, route)
			assert.Equal(t, "permission_denied", r.JSON["code"], route)
			assert.Equal(t, "You do not have permission to perform this action.", r.JSON["detail"], route)
			assert.Equal(t, http.StatusUnauthorized, api.Nobody().Do(route[0], route[1], nil).Status, route)
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE is_staff AND is_active"))
		assert.Equal(t, 2, api.Count("SELECT count(*) FROM users WHERE is_active"))
	})
}

func TestStaffSeeTheAccounts(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		api.User("Müller")
		api.Exec("UPDATE users SET first_name = 'Zoë', is_active = false WHERE username = 'ana'")
		list := func(query string) []any {
			return boss.Get("/api/users/" + query).Expect(http.StatusOK).Column("username")
		}
		assert.Equal(t, []any{"Müller", "ana", "boss"}, list(""))
		assert.Equal(t, []any{"ana", "boss", "Müller"}, list("?ordering=name"))
		assert.Equal(t, []any{"Müller", "boss", "ana"}, list("?ordering=-name"))
		assert.Equal(t, []any{"boss", "ana", "Müller"}, list("?ordering=created_at"))
		assert.Equal(t, []any{"Müller"}, list("?search=M%C3%9CLLER"))
		assert.Equal(t, []any{"Müller", "ana", "boss"}, list("?search=example.org"))
		assert.Equal(t, []any{}, list("?search=%25"))
		assert.Equal(t, []any{"boss"}, list("?is_staff=true"))
		assert.Equal(t, []any{"Müller"}, list("?is_staff=false&is_active=true"))
		assert.Equal(t, []any{"ana"}, list("?is_active=false"))
		assert.Equal(t, []any{"ana"}, list("?page_size=1&page=2"))
		for _, wrong := range []string{"ordering", "is_staff", "is_active", "page"} {
			assert.NotEmpty(t, boss.Get("/api/users/?"+wrong+"=x").Expect(http.StatusBadRequest).Error(wrong), wrong)
		}
		one := boss.Get(ana.AccountPath()).Expect(http.StatusOK)
		assert.Equal(t, "ana@example.org", one.JSON["email"])
		assert.Equal(t, []string{"created_at", "email", "first_name", "id", "is_active", "is_staff", "last_name", "username"}, kit.Keys(one.JSON))
		assert.NotContains(t, boss.Get("/api/users/").Raw+one.Raw, "argon2")
		for _, id := range []string{"77", "0", "-1", "x", "1.0", "9223372036854775808"} {
			for _, r := range []*kit.Response{boss.Get("/api/users/" + id + "/"), boss.Patch("/api/users/"+id+"/", kit.Object{"is_active": true}), boss.Post("/api/users/"+id+"/unlock/", nil)} {
				assert.Equal(t, http.StatusNotFound, r.Status, id)
			}
		}
	})
}

func TestStaffMakeStaff(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		r := boss.Patch(ana.AccountPath(), kit.Object{"is_staff": true}).Expect(http.StatusOK)
		assert.Equal(t, []any{true, true}, []any{r.JSON["is_staff"], r.JSON["is_active"]})
		ana.Get("/api/users/").Expect(http.StatusOK) // at once, with the token she has
		ana.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
		boss.Get("/api/users/").Expect(http.StatusForbidden)
		boss.AssertIn()
		ana.Post(boss.AccountPath()+"unlock/", nil).Expect(http.StatusOK)
		ana.Patch("/api/auth/me/", kit.Object{"email": "new@example.org"}).Expect(http.StatusOK)
		var told []string
		for _, e := range ana.Get("/api/audit/?action=update").Results() {
			told = append(told, fmt.Sprint(e["user"].(kit.Object)["username"], " ", e["object"], " ", e["object_id"]))
		}
		assert.Equal(t, []string{
			fmt.Sprint("ana user ", ana.ID), fmt.Sprint("ana user ", boss.ID), fmt.Sprint("ana user ", boss.ID), fmt.Sprint("boss user ", ana.ID),
		}, told, "the audit trail tells who changed whose account")
	})
}

func TestOnlyTheStandingOfAnAccountIsForStaffToChange(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, ana := api.Staff("boss"), api.User("ana")
		before := boss.Get(ana.AccountPath()).Expect(http.StatusOK)
		r := boss.Patch(ana.AccountPath(), kit.Object{"id": 7, "username": "eve", "email": "eve@example.org", "first_name": "Eve", "created_at": "x"})
		assert.Equal(t, before.JSON, r.Expect(http.StatusOK).JSON)
		for field, value := range map[string]any{
			"password": "x", "password_hash": "x", "is_superuser": true, "is_active": "no", "is_staff": nil, "IS_STAFF": true,
		} {
			r := boss.Patch(ana.AccountPath(), kit.Object{field: value})
			assert.Equal(t, http.StatusBadRequest, r.Status, field)
			assert.NotEmpty(t, r.Error(field), field)
		}
		assert.Equal(t, before.JSON, boss.Get(ana.AccountPath()).JSON)
		assert.Equal(t, before.JSON, boss.Patch(ana.AccountPath(), kit.Object{}).Expect(http.StatusOK).JSON)
		boss.Put(ana.AccountPath(), before.JSON).Expect(http.StatusMethodNotAllowed)
		boss.Delete(ana.AccountPath()).Expect(http.StatusMethodNotAllowed)
	})
}

func TestTheLastActiveStaffAccountStays(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss, gone := api.Staff("boss"), api.Staff("gone")
		boss.Patch(gone.AccountPath(), kit.Object{"is_active": false}).Expect(http.StatusOK)
		for _, change := range []kit.Object{{"is_staff": false}, {"is_active": false}, {"is_staff": false, "is_active": false}} {
			r := boss.Patch(boss.AccountPath(), change).Expect(http.StatusConflict)
			assert.Equal(t, "conflict", r.JSON["code"])
			boss.Get("/api/users/").Expect(http.StatusOK)
		}
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE is_staff AND is_active"))
		boss.Patch(gone.AccountPath(), kit.Object{"is_active": true}).Expect(http.StatusOK)
		boss.Patch(boss.AccountPath(), kit.Object{"is_staff": false}).Expect(http.StatusOK)
		boss.Get("/api/users/").Expect(http.StatusForbidden)
	})
}

func TestStaffWhoDemoteEachOtherAtOnceLeaveOne(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		staff := []*kit.Client{api.Staff("a-one"), api.Staff("b-two"), api.Staff("c-three"), api.Staff("d-four")}
		instances := []*kit.API{api, kit.Start(t, api.Config)}
		for _, change := range []kit.Object{{"is_staff": false}, {"is_active": false}} {
			answers := kit.AtOnce(len(staff), func(i int) *kit.Response {
				return staff[i].At(instances[i%2]).Patch(staff[(i+1)%len(staff)].AccountPath(), change)
			})
			for _, r := range answers {
				// Whoever comes too late is no longer staff, or out, or would be the last.
				assert.Contains(t, []int{http.StatusOK, http.StatusConflict, http.StatusForbidden, http.StatusUnauthorized}, r.Status, r.Raw)
			}
			assert.GreaterOrEqual(t, api.Count("SELECT count(*) FROM users WHERE is_staff AND is_active"), 1)
			api.Exec("UPDATE users SET is_staff = true, is_active = true")
			for _, c := range staff {
				c.Login()
			}
		}
	})
}

func TestNobodyRegistersAsStaff(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		boss := api.Staff("boss")
		body := kit.Object{
			"username": "eve", "email": "eve@example.org", "password": kit.Password,
			"is_staff": true, "is_active": false, "id": boss.ID, "created_at": "2001-01-01T00:00:00Z",
		}
		for _, who := range []*kit.Client{api.Nobody(), boss} {
			user := who.Post("/api/auth/register/", body).Expect(http.StatusCreated).JSON["user"].(kit.Object)
			assert.Equal(t, false, user["is_staff"])
			assert.Equal(t, true, user["is_active"])
			assert.NotEqual(t, boss.ID, int(user["id"].(float64)))
			body["username"], body["email"] = "mallory", "mallory@example.org"
		}
		body["username"], body["is_superuser"] = "trudy", true
		assert.NotEmpty(t, api.Nobody().Post("/api/auth/register/", body).Expect(http.StatusBadRequest).Error("is_superuser"))
		eve := api.User("eva")
		r := eve.Patch("/api/auth/me/", kit.Object{"is_staff": true, "is_active": false}).Expect(http.StatusOK)
		assert.Equal(t, false, r.JSON["is_staff"])
		eve.Get("/api/users/").Expect(http.StatusForbidden)
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM users WHERE is_staff"))
		assert.Equal(t, 0, api.Count("SELECT count(*) FROM users WHERE NOT is_active OR created_at < "+kit.Ago(time.Hour)))
	})
}
