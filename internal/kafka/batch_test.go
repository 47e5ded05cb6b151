package kafka

import "testing"

func TestBatchDropsTheMemoryOfAHugeRecord(t *testing.T) {
	var b Batch
	kept := 0
	for range 3 { // polls up to the bound use it again
		b.reset()
		for len(b.Data) < pollBytes {
			b.append(0, 0, make([]byte, 1_000_000))
		}
		if kept != 0 && cap(b.Data) != kept {
			t.Errorf("capacity %d became %d", kept, cap(b.Data))
		}
		kept = cap(b.Data)
	}
	b.append(0, 0, make([]byte, 2*pollBytes))
	b.reset()
	if cap(b.Data) > 2*pollBytes {
		t.Errorf("%d bytes are kept", cap(b.Data))
	}
}
