#include "librdkafka.h"

int batches_available(void) {
        return rd_kafka_queue_get_partition && rd_kafka_queue_get_consumer && rd_kafka_queue_forward &&
               rd_kafka_queue_io_event_enable && rd_kafka_queue_length && rd_kafka_queue_destroy &&
               rd_kafka_consume_batch_queue && rd_kafka_message_timestamp && rd_kafka_message_destroy &&
               rd_kafka_topic_new && rd_kafka_topic_destroy && rd_kafka_flush && rd_kafka_produce_batch &&
               rd_kafka_consumer_group_metadata_read && rd_kafka_consumer_group_metadata_member_id &&
               rd_kafka_consumer_group_metadata_generation_id && rd_kafka_consumer_group_metadata_destroy &&
               rd_kafka_error_destroy && rd_kafka_conf_new && rd_kafka_conf_destroy && rd_kafka_conf_set &&
               rd_kafka_conf_set_opaque && rd_kafka_conf_set_dr_msg_cb && rd_kafka_conf_set_log_cb && rd_kafka_new &&
               rd_kafka_poll && rd_kafka_outq_len && rd_kafka_metadata && rd_kafka_metadata_destroy && rd_kafka_purge && rd_kafka_destroy;
}
