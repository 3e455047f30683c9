package audit

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/config"
	"healthcare/tests/kit"
)

// asEarlier turns the seals of an instance whose AUDIT_KEY is its JWT_SECRET into those of earlier versions without an
// AUDIT_KEY, which neither named their key nor their format.
func asEarlier(api *kit.API) *kit.API {
	api.T.Helper()
	resealed(api, api.Config.JWTSecret, 0)
	return at(api, func(cfg *config.Config) { cfg.AuditKey = "" })
}

// resealed makes the seals of an instance anew, in a format of earlier versions: 0, or 2, which names its key. Both are of
// the events' values.
func resealed(api *kit.API, secret config.Secret, format int) {
	api.T.Helper()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "audit trail", sha256.Size)
	require.NoError(api.T, err)
	mac := func(values ...any) []byte {
		text, err := json.Marshal(values)
		require.NoError(api.T, err)
		h := hmac.New(sha256.New, key)
		h.Write(text)
		return h.Sum(nil)
	}
	ids, gaps := "event_ids", "gaps"
	if api.IsPostgres() {
		ids, gaps = "event_ids::text", "gaps::text"
	}
	previous, newest := "", api.Count("SELECT max(id) FROM seals")
	for id := 1; id <= newest; id++ {
		var at time.Time
		var events, open, named string
		var last int64
		query := fmt.Sprintf("SELECT at, %s, last_id, %s, key_id FROM seals WHERE id = %d", ids, gaps, id)
		require.NoError(api.T, api.SQL().QueryRow(query).Scan(&at, &events, &last, &open, &named))
		list := func(text string) json.RawMessage {
			return json.RawMessage(strings.NewReplacer("{", "[", "}", "]").Replace(text))
		}
		var covered []int64
		require.NoError(api.T, json.Unmarshal(list(events), &covered))
		macs := ""
		for _, event := range covered {
			macs += hex.EncodeToString(mac(valuesOf(api, event)...)[:16])
		}
		sealed := []any{previous, at.UnixMicro(), covered, last, []int64{}, macs, list(open)}
		columns := "format = NULL, key_id = NULL, next_key_id = NULL, next_mac = NULL, anew = NULL"
		if format == 2 {
			sealed = []any{"seal", 2, named, "", false, previous, at.UnixMicro(), covered, last, macs, list(open)}
			columns = "format = 2"
		}
		previous = hex.EncodeToString(mac(sealed...))
		api.Exec(fmt.Sprintf("UPDATE seals SET %s, row_ma_cs = '%s', mac = '%s' WHERE id = %d", columns, macs, previous, id))
	}
	if file := api.Config.AuditSealFile; file != "" {
		require.NoError(api.T, os.WriteFile(file, fmt.Appendf(nil, "%d %s", newest, previous), 0o600))
	}
}

// valuesOf is what the seals of earlier versions are made of an event.
func valuesOf(api *kit.API, id int64) []any {
	api.T.Helper()
	var at time.Time
	var user, object, patient *int64
	var action, of, changes, address, outcome, request string
	query := fmt.Sprintf("SELECT at, user_id, action, object, object_id, patient_id, changes, address, outcome, request_id FROM events"+
		" WHERE id = %d AND patient_ids IS NULL", id)
	row := api.SQL().QueryRow(query)
	require.NoError(api.T, row.Scan(&at, &user, &action, &of, &object, &patient, &changes, &address, &outcome, &request))
	return []any{id, at.UnixMicro(), user, action, of, object, patient, nil, changes, address, outcome, request}
}

func TestATrailOfAnEarlierVersionIsProvedAndGoesOn(t *testing.T) {
	kit.NeedSlow(t)
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		earlier := asEarlier(api)
		wrong := at(earlier, func(cfg *config.Config) { cfg.JWTSecret = newSecret }) // before anything was taken over
		refused(wrong, "the audit trail is sealed with another key", "audit", "verify")
		proved(earlier, "unchanged: 9 (in seals: 3)")
		broken(earlier, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		broken(earlier, "THE AUDIT TRAIL IS BROKEN: seal 2", "UPDATE seals SET last_id = 7 WHERE id = 2", "UPDATE seals SET format = 2 WHERE id = 2")
		broken(earlier, "THE AUDIT TRAIL IS BROKEN: seal 3", "DELETE FROM seals WHERE id = 2")

		server := kit.Start(t, earlier.Config)
		server.User("eve").Patient("one more")
		server.Seal()
		assert.Equal(t, 1, api.Count("SELECT count(*) FROM seals WHERE format = 3"))
		proved(earlier, "unchanged: 10 (in seals: 4)")

		replaced := wrong
		if api.IsPostgres() {
			refused(wrong, "the audit trail is sealed with the key ", "audit", "verify")
			replaced = at(wrong, func(cfg *config.Config) { cfg.AuditKey, cfg.AuditOldKeys = newKey, config.Secrets{kit.JWTSecret} })
		} else {
			kept, err := os.ReadFile(api.Config.Database.SQLite + ".audit-keys")
			require.NoError(t, err)
			assert.Contains(t, string(kept), kit.JWTSecret, "what has sealed goes on to")
			proved(wrong, "unchanged: 10 (in seals: 4)")
		}
		code, out := replaced.RunCommand("", "audit", "rotate-key")
		require.Zero(t, code, out)
		proved(replaced, "unchanged: 11 (in seals: 6)")
		broken(replaced, "THE AUDIT TRAIL IS BROKEN: event 5 was changed", "UPDATE events SET user_id = 77 WHERE id = 5")
		broken(replaced, "THE AUDIT TRAIL IS BROKEN: seal 2", "UPDATE seals SET last_id = 7 WHERE id = 2")
	}, func(cfg *config.Config) { cfg.AuditKey = kit.JWTSecret })
}

// The first thing that may happen to a trail of an earlier version is that its key is replaced.
func TestATrailOfAnEarlierVersionIsHandedOverAtOnce(t *testing.T) {
	kit.OnBoth(t, func(t *testing.T, api *kit.API) {
		sealed(api)
		set := at(asEarlier(api), func(cfg *config.Config) { cfg.AuditKey, cfg.AuditOldKeys = newKey, config.Secrets{kit.JWTSecret} })
		refused(set, "has not gone over", "audit", "verify")
		code, out := set.RunCommand("", "audit", "rotate-key")
		require.Zero(t, code, out)
		proved(set, "unchanged: 10 (in seals: 5)")
		broken(set, "THE AUDIT TRAIL IS BROKEN: seal 3", "DELETE FROM seals WHERE id = 2")
	}, func(cfg *config.Config) { cfg.AuditKey = kit.JWTSecret })
}

func TestAnEmbeddedTrailOfAReplacedJWTSecretGetsAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	api := kit.Start(t, change(kit.BaseConfig(kit.FreshSQLite(t)), func(cfg *config.Config) { cfg.AuditKey = kit.JWTSecret }))
	sealed(api)
	replaced := at(asEarlier(api), func(cfg *config.Config) { cfg.JWTSecret, cfg.AuditOldKeys = newSecret, config.Secrets{kit.JWTSecret} })
	refused(replaced, "has not gone over", "audit", "verify")
	code, out := replaced.RunCommand("", "audit", "rotate-key")
	require.Zero(t, code, out)
	assert.Contains(t, out, "Leave the former key in AUDIT_OLD_KEYS")
	proved(replaced, "unchanged: 10 (in seals: 5)")
	kept, err := os.ReadFile(api.Config.Database.SQLite + ".audit-keys")
	require.NoError(t, err)
	kit.Absent(t, string(kept), newSecret, kit.JWTSecret)
	again := at(replaced, func(cfg *config.Config) { cfg.JWTSecret = lastKey })
	proved(again, "unchanged: 10 (in seals: 5)")
}
