//go:build !race

package kit

// RaceDetector tells whether the race detector is on, which makes the code ten times slower.
const RaceDetector = false
