package config

import (
	"maps"
	"strings"
)

// OpenTelemetry are the variables that OpenTelemetry gives their meaning, by their names: those that begin with OTEL_. See
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and …/protocol/exporter/
type OpenTelemetry map[string]string

func openTelemetry(vars map[string]string) OpenTelemetry {
	found := maps.Clone(vars)
	maps.DeleteFunc(found, func(name, _ string) bool { return !strings.HasPrefix(name, "OTEL_") })
	if len(found) == 0 {
		return nil
	}
	return found
}

// Traces tells whether traces are to be sent: where to is set, and nothing switches them off.
func (o OpenTelemetry) Traces() bool {
	to := o["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] + o["OTEL_EXPORTER_OTLP_ENDPOINT"]
	return to != "" && !strings.EqualFold(o["OTEL_SDK_DISABLED"], "true") && o["OTEL_TRACES_EXPORTER"] != "none"
}

// check tells what this server cannot do: it sends over HTTP, as protobuf.
func (o OpenTelemetry) check() (errs Errors) {
	for name, may := range map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"} {
		if value := o[name]; o.Traces() && value != "" && value != may {
			errs = append(errs, name+": must be "+may+", or unset")
		}
	}
	return errs
}
