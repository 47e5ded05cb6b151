package kafka

import "testing"

// The vectors of Kafka's own UtilsTest.testMurmur2.
func TestMurmur2(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestPartitionClearsTheSign(t *testing.T) {
	// "21" hashes below zero: 0x7fffffff & -973932308 = 1173551340.
	if got := Partition([]byte("21"), 7); got != 1173551340%7 {
		t.Errorf("Partition(21, 7) = %d, want %d", got, 1173551340%7)
	}
}
