/* Aim: what is written is the text format to the letter, whatever a label holds. */
#include "admin/prometheus.h"

#include "../unit.h"

static void test_a_family(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, 1000);
    prom_family(&out, "a_total", PROM_COUNTER, "What it is.");
    struct prom_label label[] = {{"x", STR("1")}, {"y", STR("")}, {0}};
    prom_u64(&out, &(struct prom_sample){"a_total", "", label}, UINT64_MAX);
    prom_u64(&out, &(struct prom_sample){.name = "a_total"}, 0);
    assert_str(buf_str(&out), STR("# HELP a_total What it is.\n# TYPE a_total counter\n"
                                  "a_total{x=\"1\",y=\"\"} 18446744073709551615\na_total 0\n"));
}

static void test_types(void **state)
{
    (void)state;
    const struct {
        enum prom_type type;
        const char *word;
    } cases[] = {
        {PROM_COUNTER, "counter\n"}, {PROM_GAUGE, "gauge\n"}, {PROM_HISTOGRAM, "histogram\n"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_SCOPED struct buf out;
        buf_init(&out, 100);
        prom_family(&out, "a", cases[i].type, "b");
        assert_true(str_has_suffix(buf_str(&out), str_from(cases[i].word)));
    }
}

static void test_label_values(void **state)
{
    (void)state;
    const struct {
        str value;
        const char *written;
    } cases[] = {
        {STR("plain"), "plain"},       {STR("a\"b"), "a\\\"b"},
        {STR("a\\b"), "a\\\\b"},       {STR("a\nb"), "a\\nb"},
        {STR("\xC3\xA4"), "\xC3\xA4"}, {STR("\xFF\xC3"), "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {STR("{}=,"), "{}=,"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        BUF_SCOPED struct buf out, expected;
        buf_init(&out, 100);
        buf_init(&expected, 100);
        struct prom_label label[] = {{"l", cases[i].value}, {0}};
        prom_u64(&out, &(struct prom_sample){"a", "_bucket", label}, 1);
        buf_printf(&expected, "a_bucket{l=\"%s\"} 1\n", cases[i].written);
        assert_str(buf_str(&out), buf_str(&expected));
    }
}

static void test_numbers(void **state)
{
    (void)state;
    BUF_SCOPED struct buf out;
    buf_init(&out, 1000);
    const struct prom_sample sample = {.name = "a"};
    prom_i64(&out, &sample, -3);
    prom_seconds(&out, &sample, 0);
    prom_seconds(&out, &sample, 1);
    prom_seconds(&out, &sample, 1999999);
    prom_seconds(&out, &sample, UINT64_MAX);
    assert_str(buf_str(&out),
               STR("a -3\na 0.000000\na 0.000001\na 1.999999\na 18446744073709.551615\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_family),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_label_values),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
