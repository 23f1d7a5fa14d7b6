/* SPDX-License-Identifier: MIT */
/*
 * persistence.h - the library's persistence interface over the table of flights. Internal to mqtt/.
 */
#ifndef RH_MQTT_PERSISTENCE_H
#define RH_MQTT_PERSISTENCE_H

#include "mqtt/flight.h"

struct rh_persistence;

/* NULL without memory. The table is borrowed. */
struct rh_persistence *rh_persistence_new(struct rh_flight_table *table);
void rh_persistence_free(struct rh_persistence *persistence);

/* What the library's create takes with MQTTCLIENT_PERSISTENCE_USER. */
void *rh_persistence_plugin(struct rh_persistence *persistence);

/* After the library has read the flights: frees what it was given to read, where it does not do so itself. */
void rh_persistence_reclaim(struct rh_persistence *persistence);

#endif
