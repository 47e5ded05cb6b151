package event

import (
	"fmt"
	"testing"
)

// FuzzScanProto holds the quick reader of Protobuf against the general one:
// whatever scanProto accepts, decodeProto accepts with the same values.
func FuzzScanProto(f *testing.F) {
	for _, e := range []Event{
		{HasID: true, Producer: []byte("p"), Seq: 1 << 40, Key: []byte("k"), Subject: []byte("s"), Time: 1 << 50, Value: -7},
		{Key: []byte("k"), Time: -1},
		{HasID: true, Subject: []byte("no key")},
	} {
		f.Add(AppendProto(nil, &e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var quick, slow Record
		if !quick.scanProto(b) {
			return
		}
		if err := slow.decodeProto(b); err != nil {
			t.Fatalf("%x: scanProto accepts what decodeProto refuses: %v", b, err)
		}
		if got, want := fmt.Sprintf("%+v", quick), fmt.Sprintf("%+v", slow); got != want {
			t.Fatalf("%x: scanProto reads %s, decodeProto %s", b, got, want)
		}
	})
}
