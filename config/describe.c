/* SPDX-License-Identifier: MIT */
/*
 * describe.c - the dump of what is in force, and the sample of what there is.
 */
#include <string.h>

#include "config/loader.h"

void rh_config_dump(const struct rh_config *config, bool origin, FILE *out)
{
    const struct rh_built_config *built = (const struct rh_built_config *)config;

    for (size_t i = 0; i < built->n_sections; i++)
        rh_show_print(&built->sections[i], origin, out);
}

/* "a|b|c" for people: "a, b, c". */
static void print_choices(const char *choices, FILE *out)
{
    for (; *choices; choices++) {
        if (*choices == '|')
            fputs(", ", out);
        else
            fputc(*choices, out);
    }
}

static const char *looks(const struct rh_option *option)
{
    static const char *const by_kind[] = {
        [RH_OPTION_TEXT] = "TEXT",
        [RH_OPTION_BOOL] = "yes|no",
        [RH_OPTION_INT] = "a whole number",
        [RH_OPTION_NUMBER] = "a number",
        [RH_OPTION_DECIMAL] = "a number",
        [RH_OPTION_DURATION] = "a duration such as 500ms, 10s, 5min",
        [RH_OPTION_SIZE] = "a size: 64KiB",
        [RH_OPTION_CHOICE] = "",
        [RH_OPTION_CUSTOM] = "",
    };

    return option->choices ? option->choices : by_kind[option->kind];
}

static void print_table(const struct rh_option_table *table, FILE *out)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct rh_option *option = &table->rows[i];
        bool prefix = option->flags & RH_OPTION_PREFIX;

        fprintf(out, "; %s", option->help);
        if (*looks(option)) {
            fputs(" (", out);
            print_choices(looks(option), out);
            fputc(')', out);
        }
        if (option->flags & RH_OPTION_REQUIRED && !option->fallback)
            fputs("; required", out);
        fprintf(out, "\n;%s%s = %s\n", option->name, prefix ? "NAME" : "",
                option->fallback ? option->fallback : "");
    }
}

static void print_drivers(const struct rh_schema *schema, const char *what,
                          const struct rh_option_table *(*table)(const struct rh_driver_schema *), FILE *out)
{
    for (size_t i = 0; i < schema->n_drivers; i++) {
        const struct rh_driver_schema *driver = schema->drivers[i];

        if (table(driver)->n == 0)
            continue;
        fprintf(out, "\n; --- %s of driver %s: %s\n", what, driver->name, driver->help);
        print_table(table(driver), out);
    }
}

static const struct rh_option_table *line_table(const struct rh_driver_schema *driver)
{
    return driver->line;
}

static const struct rh_option_table *device_table(const struct rh_driver_schema *driver)
{
    return driver->device;
}

static const struct rh_option_table *point_table(const struct rh_driver_schema *driver)
{
    return driver->point;
}

void rh_config_sample(const struct rh_schema *schema, FILE *out)
{
    fputs("; railhead.ini: every option with its default, commented out.\n"
          "; Drop-ins go beside it, into railhead.d/*.ini; later files go over earlier ones.\n\n[gateway]\n",
          out);
    print_table(&rh_gateway_options, out);
    fputs("\n[mqtt]\n", out);
    print_table(&rh_mqtt_options, out);
    fputs("\n[store]\n", out);
    print_table(&rh_store_options, out);
    fputs("\n[commands]\n", out);
    print_table(&rh_commands_options, out);
    fputs(
        "\n; What every line has unless its own section says otherwise; the same keys stand in [line NAME].\n"
        "[defaults line]\n",
        out);
    print_table(&rh_line_options, out);
    print_drivers(schema, "lines", line_table, out);
    fputs("\n; What every device has unless said otherwise; the same keys stand in [device NAME], and as\n"
          "; key=value in a row of [devices].\n[defaults device]\n",
          out);
    print_table(&rh_device_options, out);
    print_drivers(schema, "devices", device_table, out);
    fputs("\n; One row per device, or per range of devices.\n[devices]\n"
          ";name     = line address profile      key=value ...\n"
          ";m{01..12} = a {1..12} eastron-sdm630   ct=40 tag.area=hall1\n"
          "\n; [points DEVICE]: points without a profile, or on top of one. One row per point.\n"
          ";name     = table address type         key=value ...\n"
          ";voltage  = input 0 f32                unit=V\n; The options of a point:\n\n",
          out);
    print_table(&rh_point_options, out);
    print_drivers(schema, "points", point_table, out);
}
