/* SPDX-License-Identifier: MIT */
#include "mqtt/reason.h"

#include "core/base.h"

static const struct rh_reason rows[] = {
    {0x01, RH_REASON_VERSION, "does not speak this version of MQTT"},
    {0x02, RH_REASON_OTHER, "refused the client id"},
    {0x03, RH_REASON_OTHER, "is not available"},
    {0x04, RH_REASON_CREDENTIALS, "refused the user name or password"},
    {0x05, RH_REASON_CREDENTIALS, "does not authorise this client"},
    {0x84, RH_REASON_VERSION, "does not speak this version of MQTT"},
    {0x85, RH_REASON_OTHER, "refused the client id"},
    {0x86, RH_REASON_CREDENTIALS, "refused the user name or password"},
    {0x87, RH_REASON_CREDENTIALS, "does not authorise this client"},
    {0x88, RH_REASON_OTHER, "is not available"},
    {0x89, RH_REASON_OTHER, "is busy"},
    {0x8a, RH_REASON_CREDENTIALS, "has banned this client"},
    {0x8c, RH_REASON_CREDENTIALS, "wants another method of authentication"},
    {0x90, RH_REASON_OTHER, "refused the topic of the will"},
    {0x95, RH_REASON_OTHER, "finds the CONNECT packet too large"},
    {0x97, RH_REASON_OTHER, "says that a quota is exceeded"},
    {0x9a, RH_REASON_WILL_RETAIN, "keeps no retained messages"},
    {0x9b, RH_REASON_WILL_QOS, "does not take the will's QoS"},
    {0x9c, RH_REASON_OTHER, "asks to use another server"},
    {0x9d, RH_REASON_OTHER, "has moved to another server"},
    {0x9f, RH_REASON_OTHER, "finds this client connecting too often"},
};

const struct rh_reason *rh_reason_of_connect(int code)
{
    static const struct rh_reason unknown = {0, RH_REASON_OTHER, "refused the connection"};
    for (size_t i = 0; i < RH_COUNT(rows); i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return &unknown;
}
