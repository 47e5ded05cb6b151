package event

import (
	"fmt"
	"testing"
)

// FuzzScan holds the quick reader of JSON against the reference: whatever scan
// accepts, parse accepts with the same values.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"producer":"p","seq":1,"key":"a","subject":"","event_time":-1.50,"value":2}`))
	f.Add([]byte(`{"key" : "a" , "key":"b","x":0}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] != '{' {
			return
		}
		var quick, slow fields
		if !quick.scan(b) {
			return
		}
		if err := slow.parse(b); err != nil {
			t.Fatalf("%q: scan accepts what encoding/json refuses: %v", b, err)
		}
		if fmt.Sprintf("%q", quick.raw) != fmt.Sprintf("%q", slow.raw) {
			t.Fatalf("%q: scan reads %q, encoding/json %q", b, quick.raw, slow.raw)
		}
	})
}
