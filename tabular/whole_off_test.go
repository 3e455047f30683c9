//go:build !slow || race

package tabular

const whole = false
