package lake

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Paths are relative to the lake's folder and use slashes.
const (
	eventsFolder    = "events"
	manifestsFolder = "manifests"
	temporary       = ".tmp" // a file under way: of no meaning, whoever left it
)

// maxTopic is below Kafka's 249, so that every file name fits 255 bytes.
const maxTopic = 170

var (
	topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
	idForm    = regexp.MustCompile(`^[0-9a-f]{1,32}$`)
	startForm = regexp.MustCompile(`^[0-9]{20}\.json$`)
)

// checkTopic accepts Kafka's own names: they are safe in a path as they are.
func checkTopic(topic string) error {
	if !topicForm.MatchString(topic) || topic == "." || topic == ".." || len(topic) > maxTopic {
		return fmt.Errorf("topic %q is not 1 to %d of a-z, A-Z, 0-9, '.', '_', '-'", topic, maxTopic)
	}
	return nil
}

// HourOf returns the hour (since 1970, UTC) of an event time in µs. Each hour
// has its folder.
func HourOf(eventTime int64) int64 {
	const hour = int64(time.Hour / time.Microsecond)
	h := eventTime / hour
	if eventTime%hour < 0 {
		h--
	}
	return h
}

func hourFolder(hour int64) string {
	return path.Join(eventsFolder, time.Unix(hour*3600, 0).UTC().Format("dt=2006-01-02/hour=15"))
}

// dataPath is events/dt=YYYY-MM-DD/hour=HH/<topic>-<partition>-<start>-<end>-<id>.parquet.
func dataPath(hour int64, topic string, partition int32, start, end int64, id string) string {
	return path.Join(hourFolder(hour), fmt.Sprintf("%s-%d-%d-%d-%s.parquet", topic, partition, start, end, id))
}

// idOf takes the id out of a data path.
func idOf(p string) string {
	s := strings.TrimSuffix(path.Base(p), ".parquet")
	return s[strings.LastIndexByte(s, '-')+1:]
}

func chainFolder(topic string, partition int32) string {
	return path.Join(manifestsFolder, topic, strconv.Itoa(int(partition)))
}

// manifestPath is manifests/<topic>/<partition>/<start, 20 digits>.json.
func manifestPath(topic string, partition int32, start int64) string {
	return path.Join(chainFolder(topic, partition), fmt.Sprintf("%020d.json", start))
}
