package assets_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"parallax.example/services/reporter/assets"
)

// uPlot is embedded as it was published; ./refresh --check compares with the
// registry, this test needs no network. After ./refresh the sums change here.
func TestUPlotIsAsPublished(t *testing.T) {
	for name, c := range map[string]struct{ text, sum string }{
		"uPlot.iife.min.js": {assets.UPlotScript, "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"},
		"uPlot.min.css":     {assets.UPlotStyle, "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"},
		"LICENSE":           {assets.UPlotLicence, "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"},
	} {
		if sum := sha256.Sum256([]byte(c.text)); hex.EncodeToString(sum[:]) != c.sum {
			t.Errorf("%s has SHA-256 %x, want %s", name, sum, c.sum)
		}
	}
}

func TestVersionIsPinned(t *testing.T) {
	b, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	if v := p.Dependencies["uplot"]; v == "" || !strings.Contains(assets.UPlotScript[:200], "(v"+v+")") {
		t.Errorf("package.json pins uplot %q, which is not the version of the script", v)
	}
}
