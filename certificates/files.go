package certificates

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"healthcare/config"
)

// filesEvery is how often the two files are looked at.
const filesEvery = time.Second

// pair is a certificate and its key in two files, which somebody else renews.
type pair struct {
	certFile, keyFile string
	log               *slog.Logger

	cert, key []byte // what is used
	used      atomic.Pointer[tls.Certificate]
}

func fromFiles(cfg *config.Config, log *slog.Logger) (*TLS, error) {
	p := &pair{certFile: cfg.TLSCertFile, keyFile: cfg.TLSKeyFile, log: log}
	if err := p.load(); err != nil {
		return nil, err
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.used.Load(), nil }
	return &TLS{
		Config: &tls.Config{GetCertificate: get},
		keep:   p.keep,
		isFor:  func(host string) bool { return p.used.Load().Leaf.VerifyHostname(host) == nil },
	}, nil
}

// load uses what the files hold, unless that is used already. On an error, what is used goes on to be.
func (p *pair) load() error {
	cert, err := os.ReadFile(p.certFile)
	if err != nil {
		return config.Errors{"TLS_CERT_FILE: cannot be read: " + reason(err)}
	}
	key, err := os.ReadFile(p.keyFile)
	if err != nil {
		return config.Errors{"TLS_KEY_FILE: cannot be read: " + reason(err)}
	}
	if bytes.Equal(cert, p.cert) && bytes.Equal(key, p.key) {
		return nil
	}
	loaded, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return config.Errors{"TLS_CERT_FILE: is no pair with TLS_KEY_FILE: " + err.Error()}
	}
	p.cert, p.key = cert, key
	p.used.Store(&loaded)
	p.log.Info("TLS certificate read from its file", "good_until", loaded.Leaf.NotAfter)
	return nil
}

// reason says why a file cannot be read, without its path.
func reason(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err.Error()
	}
	return err.Error()
}

// keep looks for new files, and logs once what is wrong with them.
func (p *pair) keep(ctx context.Context) {
	ticks := time.NewTicker(filesEvery)
	defer ticks.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		says := ""
		if err := p.load(); err != nil {
			says = err.Error()
		}
		if says != "" && says != said {
			p.log.Error("the new TLS certificate cannot be used, and the former one is still", "error", says)
		}
		said = says
	}
}
