package certificates

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"healthcare/config"
	"healthcare/version"
)

// acmeEvery is how often it is looked whether each name has its certificate. A failure is repeated so seldom because ACME
// servers count them.
const acmeEvery = 15 * time.Minute

// issued are certificates that an ACME server gives, and that autocert renews when a third of their time is left.
type issued struct {
	manager *autocert.Manager
	domains []string
	log     *slog.Logger
}

func fromACME(cfg *config.Config, log *slog.Logger) (*TLS, error) {
	// Else each start would ask for new certificates, of which there are few a week.
	if err := writable(cfg.TLSCacheDir); err != nil {
		return nil, config.Errors{"TLS_CACHE_DIR: cannot be written: " + reason(err)}
	}
	domains := make([]string, len(cfg.TLSDomains))
	for i, domain := range cfg.TLSDomains {
		domains[i] = string(domain)
	}
	i := &issued{domains: domains, log: log, manager: &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(cfg.TLSCacheDir), // mode 0700, and 0600 of its files
		HostPolicy: autocert.HostWhitelist(domains...),
		Client:     &acme.Client{DirectoryURL: string(cfg.ACMEDirectoryURL), UserAgent: strings.ReplaceAll(version.Name, " ", "-") + "/" + version.Number},
		Email:      cfg.ACMEEmail,
	}}
	return &TLS{
		Config:     i.manager.TLSConfig(),
		keep:       i.keep,
		isFor:      func(host string) bool { return slices.Contains(domains, strings.ToLower(host)) },
		challenges: func(next http.Handler) http.Handler { return i.manager.HTTPHandler(next) },
	}, nil
}

// writable makes a folder unless it is there, and tries to write into it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "try-*")
	if err != nil {
		return err
	}
	_ = file.Close()
	return os.Remove(file.Name())
}

// keep asks for each certificate before its first visitor does, and tells who cannot be served, or soon not any more.
func (i *issued) keep(ctx context.Context) {
	until := map[string]time.Time{}
	ticks := time.NewTicker(acmeEvery)
	defer ticks.Stop()
	for {
		for _, domain := range i.domains {
			// As every client of today asks; else it would be a certificate of RSA.
			cert, err := i.manager.GetCertificate(&tls.ClientHelloInfo{ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
			if err != nil {
				i.log.Error("no TLS certificate", "domain", domain, "error", err)
				continue
			}
			leaf := cert.Leaf
			if !leaf.NotAfter.Equal(until[domain]) {
				until[domain] = leaf.NotAfter
				i.log.Info("TLS certificate", "domain", domain, "good_until", leaf.NotAfter)
			}
			if left := time.Until(leaf.NotAfter); left < leaf.NotAfter.Sub(leaf.NotBefore)/6 {
				i.log.Error("the TLS certificate is not renewed", "domain", domain, "good_until", leaf.NotAfter)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
