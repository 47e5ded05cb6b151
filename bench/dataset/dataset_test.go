package dataset

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Ensure that only the one published file passes.
func TestIsChecked(t *testing.T) {
	file := t.TempDir() + "/flights"
	if err := check(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(file); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("%v", err)
	}
	if err := unpack(file, "m", file+".out"); err == nil {
		t.Error("garbage is unpacked")
	}
}
