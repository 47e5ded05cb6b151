// Many records handed to a producer in one call.
#pragma once

#include "librdkafka.h"

// The layout of Entry in records.go: where a record's key and value end. A
// record begins where the last one ended, its value where its key ended.
typedef struct {
        intptr_t key_end, value_end;
        int32_t topic;
        uint8_t keyless, tombstone;
} entry;

// produce_some hands some of n records to the producer, all to one partition,
// copying them. Records go topic by topic: topic and at say where to begin, and
// are moved to where to go on, also after an error. It returns 0 or the library's
// error code.
int produce_some(rd_kafka_topic_t **topics, int32_t partition, const uint8_t *data, const entry *entries, int n,
                 int *topic, int *at);
