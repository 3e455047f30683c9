package commands

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"healthcare/config"
)

// healthCheckLimit is how long the server may take to answer: /readyz takes a second at most.
const healthCheckLimit = 3 * time.Second

// healthCheck asks the server that runs here with the same configuration whether it is ready. Containers have no curl.
func (p Program) healthCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running server whether it is ready; the exit code is 0 if it is",
		Args:  checked(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(p.Environ, p.Dotenv)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthCheckLimit)
			defer cancel()
			if err := askReady(ctx, cfg); err != nil {
				return err
			}
			_, _ = fmt.Fprintln(p.Out, "The server is ready.")
			return nil
		},
	}
}

// askReady returns nil if the server's /readyz is 200.
func askReady(ctx context.Context, cfg *config.Config) error {
	host := cfg.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() { // it listens on every address of this machine
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	scheme, byNoProxy := "http", &http.Transport{}
	if cfg.TLS() {
		scheme = "https"
		// The certificate is for the name that people use, which may lead elsewhere; nothing secret is sent.
		byNoProxy.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see above
		if len(cfg.TLSDomains) > 0 {
			byNoProxy.TLSClientConfig.ServerName = string(cfg.TLSDomains[0]) // it has no certificate for others
		}
	}
	address := scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)) + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := byNoProxy.RoundTrip(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the server at %s did not answer within %s", req.URL.Host, healthCheckLimit)
	}
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var problem struct{ Detail string }
	_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&problem)
	return fmt.Errorf("the server is not ready: %s: %s", res.Status, problem.Detail)
}
