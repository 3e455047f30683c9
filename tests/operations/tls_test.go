package operations

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"healthcare/tests/kit"
)

// keyPair is a certificate and its key in a folder.
type keyPair struct{ cert, key string }

// sign makes a certificate for names that trusts itself, and writes it and its key.
func (f keyPair) sign(t *testing.T, serial int64, names ...string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	about := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Clinic"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(file, kind string, content []byte) {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
	}
	write(f.cert, "CERTIFICATE", der)
	write(f.key, "PRIVATE KEY", private)
	return cert
}

func keysIn(dir string) keyPair {
	return keyPair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

func (f keyPair) environ(more ...string) []string {
	return append([]string{"TLS_CERT_FILE=" + f.cert, "TLS_KEY_FILE=" + f.key}, more...)
}

// trusting calls with HTTP/2 or HTTP/1.1 who shows the certificate.
func trusting(cert *x509.Certificate, http2 bool) *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: &http.Protocols{}}
	transport.Protocols.SetHTTP2(http2)
	transport.Protocols.SetHTTP1(!http2)
	return transport
}

// dial shakes hands, and gives the serial number of the certificate that it was shown.
func dialTLS(t *testing.T, host string, oldest, newest uint16) (int64, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true, MinVersion: oldest, MaxVersion: newest})
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestTLSIsServedWithHTTP1AndHTTP2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	cert := f.sign(t, 1, "clinic.test")
	p := kit.Launch(t, dir, nil, f.environ()...)
	api := p.Serving()
	assert.Contains(t, p.Out.String(), "on https://127.0.0.1:")
	host := strings.TrimPrefix(api.URL, "https://")
	for name, http2 := range map[string]bool{"ana": true, "ben": false} {
		api.Transport = trusting(cert, http2)
		user := api.User(name)
		for i := range 3 {
			user.Patient(fmt.Sprint("Petra ", i))
		}
		page := user.Get("/api/patients/?page_size=2").Expect(http.StatusOK)
		assert.Equal(t, "max-age=31536000", page.Header.Get("Strict-Transport-Security"))
		next := page.JSON["next"].(string)
		require.True(t, strings.HasPrefix(next, "https://"+host+"/api/patients/?"), next)
		user.Get(strings.TrimPrefix(next, api.URL)).Expect(http.StatusOK)
		assert.Equal(t, "max-age=31536000", user.Get("/none").Expect(http.StatusNotFound).Header.Get("Strict-Transport-Security"))
	}
	for _, newest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, err := dialTLS(t, host, newest, newest)
		assert.NoError(t, err)
	}
	_, err := dialTLS(t, host, tls.VersionTLS10, tls.VersionTLS11)
	assert.ErrorContains(t, err, "protocol version not supported")

	_, port, err := net.SplitHostPort(host)
	require.NoError(t, err)
	code, stdout, stderr := kit.RunProgram(t, dir, []string{"healthcheck"}, f.environ("PORT="+port)...)
	assert.Zero(t, code, stderr)
	assert.Equal(t, "The server is ready.\n", stdout)
}

func TestWithoutTLSNothingIsSaidOfIt(t *testing.T) {
	t.Parallel()
	answer := kit.Launch(t, t.TempDir(), nil).Serving().Nobody().Get("/readyz").Expect(http.StatusOK)
	assert.Empty(t, answer.Header.Get("Strict-Transport-Security"))
}

func TestANewCertificateIsUsedWithoutARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	f.sign(t, 1, "clinic.test")
	p := kit.Launch(t, dir, nil, f.environ()...)
	host := strings.TrimPrefix(p.Serving().URL, "https://")
	shows := func(serial int64) func() bool {
		return func() bool {
			shown, err := dialTLS(t, host, tls.VersionTLS12, tls.VersionTLS13)
			require.NoError(t, err)
			return shown == serial
		}
	}
	require.True(t, shows(1)())

	f.sign(t, 2, "clinic.test")
	require.Eventually(t, shows(2), kit.WaitLimit, 10*time.Millisecond)

	other := keysIn(t.TempDir())
	other.sign(t, 3, "clinic.test")
	require.NoError(t, os.Rename(other.key, f.key)) // which is not the certificate's
	p.Await(p.Err, "the new TLS certificate cannot be used")
	assert.Regexp(t, `level=ERROR msg=".*, and the former one is still" error="TLS_CERT_FILE: is no pair with TLS_KEY_FILE: .*"`, p.Err.String())
	require.True(t, shows(2)())
	require.NoError(t, os.Remove(f.cert))
	p.Await(p.Err, "TLS_CERT_FILE: cannot be read: no such file")
	require.True(t, shows(2)())

	require.NoError(t, os.Rename(other.cert, f.cert))
	require.Eventually(t, shows(3), kit.WaitLimit, 10*time.Millisecond)
	assert.Equal(t, 2, strings.Count(p.Err.String(), "level=ERROR"))
	kit.Absent(t, p.Err.String(), dir)
}

func TestAWrongCertificateStopsTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, other := keysIn(dir), keysIn(t.TempDir())
	f.sign(t, 1, "clinic.test")
	other.sign(t, 2, "clinic.test")
	broken := filepath.Join(t.TempDir(), "broken.pem")
	require.NoError(t, os.WriteFile(broken, []byte("hunter2"), 0o600))
	for says, environ := range map[string][]string{
		"TLS_CERT_FILE: is no pair with TLS_KEY_FILE: ": keyPair{f.cert, other.key}.environ(),
		"TLS_CERT_FILE: is no pair with TLS_KEY_FILE":   keyPair{broken, f.key}.environ(),
		"TLS_CERT_FILE: cannot be read: ":               keyPair{filepath.Join(dir, "none"), f.key}.environ(),
		"TLS_KEY_FILE: cannot be read: ":                keyPair{f.cert, dir}.environ(),
		"TLS_CACHE_DIR: cannot be written: ":            {"TLS_DOMAINS=clinic.example.org", "TLS_CACHE_DIR=" + f.cert},
	} {
		code, stdout, stderr := kit.RunProgram(t, t.TempDir(), nil, environ...)
		assert.Equal(t, 2, code, says)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "\n  "+says)
		kit.Absent(t, stderr, "hunter2", dir)
	}
}

func TestPlainHTTPIsSentToTLSAndNeverToAForeignHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	f.sign(t, 1, "clinic.test", "*.clinic.test")
	launch := func(more ...string) (tlsPort, plain string) {
		free, err := kit.FreePort()
		require.NoError(t, err)
		api := kit.Launch(t, t.TempDir(), nil, f.environ(append(more, "TLS_REDIRECT_PORT="+strconv.Itoa(free))...)...).Serving()
		address, err := url.Parse(api.URL)
		require.NoError(t, err)
		return address.Port(), "127.0.0.1:" + strconv.Itoa(free)
	}
	// ask sends the first line and the host as they are.
	ask := func(plain, line, host string) (status int, location string) {
		conn, err := net.Dial("tcp", plain)
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		_, err = io.WriteString(conn, line+" HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		assert.Empty(t, res.Header.Get("Strict-Transport-Security"), "which browsers must not believe here")
		return res.StatusCode, res.Header.Get("Location")
	}
	port, plain := launch()
	base := "https://clinic.test:" + port
	for line, want := range map[string]string{
		"GET /":                                "/",
		"HEAD /console/patients/5":             "/console/patients/5",
		"GET /a%2Fb/%C3%BC?q=a%20b&q=%2F;x&y=": "/a%2Fb/%C3%BC?q=a%20b&q=%2F;x&y=",
		"GET //evil.test/x":                    "//evil.test/x",
		"GET /.well-known/acme-challenge/x":    "/.well-known/acme-challenge/x",
		"GET http:evil.test":                   "",
	} {
		status, location := ask(plain, line, "clinic.test")
		if want == "" { // nothing is an answer, but another host
			assert.True(t, location == "" || strings.HasPrefix(location, base), location)
			continue
		}
		assert.Equal(t, http.StatusPermanentRedirect, status, line)
		assert.Equal(t, base+want, location)
	}
	for host, want := range map[string]string{"Clinic.test:80": "https://Clinic.test:", "desk.clinic.test": "https://desk.clinic.test:", "127.0.0.1": "https://127.0.0.1:"} {
		_, location := ask(plain, "GET /x?y", host)
		assert.Equal(t, want+port+"/x?y", location)
	}
	for _, host := range []string{"evil.test", "clinic.test.evil.test", "192.0.2.1", "[::1]:80", "", "clinic.test@evil.test"} {
		status, location := ask(plain, "GET /", host)
		assert.Contains(t, []int{http.StatusMisdirectedRequest, http.StatusBadRequest}, status, host)
		assert.Empty(t, location, host)
	}
	status, location := ask(plain, "GET http://evil.test/x", "evil.test")
	assert.Equal(t, http.StatusMisdirectedRequest, status)
	assert.Empty(t, location)
	status, location = ask(plain, "POST /api/auth/login/", "clinic.test")
	assert.Equal(t, http.StatusForbidden, status)
	assert.Empty(t, location)

	_, plain = launch("PUBLIC_URL=https://public.test:8443")
	for _, host := range []string{"clinic.test", "evil.test", "[::1]:80"} {
		status, location := ask(plain, "GET /x?y", host)
		assert.Equal(t, http.StatusPermanentRedirect, status)
		assert.Equal(t, "https://public.test:8443/x?y", location)
	}
}

func TestAClientOfHTTP2ThatStopsSendingIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	cert := f.sign(t, 1, "clinic.test")
	api := kit.Launch(t, dir, nil, f.environ("REQUEST_TIMEOUT=100ms")...).Serving()
	body, end := io.Pipe()
	defer func() { _ = end.Close() }()
	go func() { _, _ = io.WriteString(end, "{") }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL+"/api/auth/login/", body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := trusting(cert, true).RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	assert.Equal(t, 2, res.ProtoMajor)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "the body ended too soon")
}

func TestAServerThatStopsTakesRequestsOfHTTP2UntilItsClientsKnow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	cert := f.sign(t, 1, "clinic.test")
	p := kit.Launch(t, dir, nil, f.environ("DRAIN_DELAY=2s")...)
	api := p.Serving()
	api.Transport = trusting(cert, true)
	ana := api.User("ana")
	require.NoError(t, p.Cmd.Process.Signal(syscall.SIGTERM))
	p.Await(p.Err, "still taken")
	for range 3 { // each on a connection of its own: after an answer, the server takes no more on that one
		api.Nobody().Get("/readyz").Expect(http.StatusServiceUnavailable)
		ana.Post("/api/patients/", kit.Object{"name": "Petra"}).Expect(http.StatusCreated)
	}
	assert.Zero(t, p.ExitCode(), "%s", p.Err)
	api = kit.Launch(t, dir, nil, f.environ()...).Serving()
	api.Transport = trusting(cert, true)
	assert.Equal(t, 3.0, ana.At(api).Get("/api/patients/").Expect(http.StatusOK).JSON["count"])
}

func TestATLSHandshakeThatDoesNotEndIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	f.sign(t, 1, "clinic.test")
	host := strings.TrimPrefix(kit.Launch(t, dir, nil, f.environ("REQUEST_TIMEOUT=100ms")...).Serving().URL, "https://")
	conn, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte{22, 3, 1}) // a handshake begins
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = io.ReadAll(conn)
	assert.NoError(t, err) // the server has closed it
}

func TestAConnectionOfHTTP2ThatFallsSilentIsClosed(t *testing.T) {
	kit.NeedSlow(t)
	t.Parallel()
	dir := t.TempDir()
	f := keysIn(dir)
	f.sign(t, 1, "clinic.test")
	host := strings.TrimPrefix(kit.Launch(t, dir, nil, f.environ()...).Serving().URL, "https://")
	conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	// Its preface and settings, and the beginning of a request's headers (RFC 9113): GET and https, and no end.
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x00\x00\x02\x01\x00\x00\x00\x00\x01\x82\x87")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Second)))
	_, err = io.ReadAll(conn)
	assert.NoError(t, err) // the server has closed it, and did not wait until it was idle for two minutes
}
