/* SPDX-License-Identifier: MIT */
#include "gateway/version.h"

const char rh_version[] = RAILHEAD_VERSION;
