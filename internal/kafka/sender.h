// A producer of its own, past the Go client, which counts what brokers acknowledge.
#pragma once

#include "librdkafka.h"

typedef struct {
        rd_kafka_t *rk;
        size_t lost;         // records that were given up
        int error;           // of the first of them
        char reason[256];    // why there is no producer
} sender;

// sender_new makes a producer from n settings, names and values in turn. Without
// memory it returns null; without rk in what it returns, reason says why.
sender *sender_new(const char **settings, int n);

// sender_connect waits for a first connection, at most so long.
void sender_connect(sender *, int wait_ms);

// sender_serve takes in what was acknowledged, waiting at most so long for all of
// it, and returns how many records are neither acknowledged nor given up.
int sender_serve(sender *, int wait_ms);

// sender_free drops what is not acknowledged and ends the producer.
void sender_free(sender *);
