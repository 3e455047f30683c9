//go:build !race

package tabular

const raceDetector = false
