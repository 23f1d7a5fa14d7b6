/* SPDX-License-Identifier: MIT */
/* Lines of the control socket: what is accepted is whole and within its bounds; what is not has a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "gateway/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(const struct rh_control_request *request)
{
    bool pointed = request->verb == RH_CONTROL_READ || request->verb == RH_CONTROL_WRITE;
    const struct rh_request *command = &request->command;

    rh_assert(request->verb < RH_CONTROL_VERB_COUNT);
    rh_assert(rh_name_valid(request->device) == pointed && rh_name_valid(request->point) == pointed);
    rh_assert(command->has_value == (request->verb == RH_CONTROL_WRITE));
    rh_assert(command->n_values == 0);
    rh_assert(command->has_id == (command->id[0] != 0));
    rh_assert(strlen(command->by) <= RH_REQUEST_BY_MAX);
    if (command->bare)
        rh_assert(command->value.kind == RH_VALUE_TEXT);
    if (command->has_value && command->value.kind == RH_VALUE_TEXT)
        rh_assert(command->value.text[command->value.text_len] == 0 &&
                  rh_utf8_valid(command->value.text, command->value.text_len) == command->value.text_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rh_control_request request;
    char why[64] = "";
    char *line = malloc(size + (size == 0)); /* an exact copy, so that a read past the end is seen */

    if (!line)
        return 0;
    memcpy(line, data, size);
    enum rh_command_code code = rh_control_parse(line, size, &request, why, sizeof(why));
    if (code == RH_CODE_NONE)
        check_accepted(&request);
    else
        rh_assert(why[0] && strlen(why) < sizeof(why));
    free(line);
    return 0;
}
