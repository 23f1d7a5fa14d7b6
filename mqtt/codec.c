/* SPDX-License-Identifier: MIT */
/* codec.c - the payload formats, as listed in codecs.def. */
#include "mqtt/codec.h"

#define RH_CODEC(format) extern const struct rh_codec rh_codec_##format;
#include "mqtt/codecs.def"
#undef RH_CODEC

#define RH_CODEC(format) &rh_codec_##format,
const struct rh_codec *const rh_codecs[] = {
#include "mqtt/codecs.def"
};
#undef RH_CODEC

const size_t rh_n_codecs = RH_COUNT(rh_codecs);
