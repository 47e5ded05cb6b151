// A lane is the queue of one partition, cut off from the consumer's own queue
// and read many records at a time.
#pragma once

#include "librdkafka.h"

// Messages that are taken from the queue at once: few enough that they are
// still in the cache when they are copied and freed.
enum { LANE_KEPT = 64 };

typedef struct {
        rd_kafka_queue_t *queue;

        // Taken from the queue, not yet read, because the buffers were full.
        message *kept[LANE_KEPT];
        int first, count;

        // What lane_read leaves. The lengths are read as well.
        size_t data_len, key_len;   // bytes in the buffers
        size_t data_need, key_need; // of the next record, which did not fit; else 0
        int64_t next;               // the offset to read next, if anything was read
        int at_end;                 // everything readable was read
        int error;                  // in the place of the next record; else 0
        char error_text[512];
} lane;

// lane_new takes the partition's queue; a byte is written to fd when the queue
// was empty and is no longer. Null if the library refuses.
lane *lane_new(rd_kafka_t *, const char *topic, int32_t partition, int fd);

// lane_free drops what was not read and returns the queue. Nothing is written
// to fd any more.
void lane_free(lane *);

// lane_drop drops what was taken from the queue and not read yet.
void lane_drop(lane *);

// lane_read copies at most max records, and goes beyond limit bytes by less
// than one record. It never waits. A null nulls leaves keys and tombstones out.
// It returns the number of records.
int lane_read(lane *, int max, size_t limit, int64_t *offsets, int64_t *timestamps, intptr_t *ends, uint8_t *data,
              size_t data_cap, intptr_t *key_ends, uint8_t *keys, size_t key_cap, uint8_t *nulls);

// events_watch makes the consumer's own queue write to fd as lanes do, and
// returns a handle of it; events_free ends that.
rd_kafka_queue_t *events_watch(rd_kafka_t *, int fd);
void events_free(rd_kafka_queue_t *);
