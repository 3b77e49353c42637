/* A value made to fit what an input may be: types converted, numbers clamped, words snapped to an enum.
 *
 * Scalars that fit as they are keep their identity (only the reference is new), for what is to be uploaded is found by
 * it. */
#include "mapping_int.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/ensure.h"
#include "base/json.h"

enum { NUMBER_TEXT_BYTES = 64 };

/* --- numbers --- */

/* The number that a text holds, as a new reference; NULL where it holds none. */
static json_t *number_in_text(const json_t *text)
{
    const char *bytes = json_string_value(text);
    size_t length = json_string_length(text);
    if (bytes == NULL || length == 0 || length >= NUMBER_TEXT_BYTES || strchr("-0123456789", bytes[0]) == NULL)
        return NULL;
    json_t *number = json_parse(bytes, length, NULL);
    if (json_is_number(number))
        return number;
    json_decref(number);
    return NULL;
}

static json_t *number_of(json_t *given)
{
    return json_is_number(given) ? json_incref(given) : number_in_text(given);
}

static int64_t saturated(double number)
{
    if (number >= 9223372036854775807.0)
        return INT64_MAX;
    return number <= -9223372036854775808.0 ? INT64_MIN : (int64_t)number;
}

/* Whole numbers are written without a fraction: no model minds, and some insist. */
static json_t *plain_number(double number)
{
    bool is_whole = number >= -9007199254740992.0 && number <= 9007199254740992.0 && !(floor(number) < number);
    return is_whole ? json_integer((int64_t)number) : json_real(number);
}

static bool is_below(const struct model_value *kind, double number)
{
    return kind->has_minimum && (kind->excludes_minimum ? number <= kind->minimum : number < kind->minimum);
}

static bool is_above(const struct model_value *kind, double number)
{
    return kind->has_maximum && (kind->excludes_maximum ? number >= kind->maximum : number > kind->maximum);
}

/* The nearest number beside a bound that is itself excluded is of no use to anybody (a temperature of 5e-324), so it is
 * kept at a distance of a thousandth. */
static double clamped(const struct model_value *kind, double number)
{
    bool is_bounded = kind->has_minimum && kind->has_maximum;
    double span = is_bounded ? kind->maximum - kind->minimum : fabs(kind->minimum + kind->maximum);
    if (!is_bounded && span < 1)
        span = 1;
    if (is_below(kind, number))
        return kind->excludes_minimum ? kind->minimum + span / 1000 : kind->minimum;
    if (is_above(kind, number))
        return kind->excludes_maximum ? kind->maximum - span / 1000 : kind->maximum;
    return number;
}

static bool takes_fractions(const struct model_value *kind)
{
    return (kind->types & VALUE_NUMBER) != 0;
}

static bool fit_number(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    double number = json_number_value(given);
    int64_t whole;
    if (!isfinite(number))
        return false;
    if (is_below(kind, number) || is_above(kind, number)) {
        number = clamped(kind, number);
        *changed = true;
        *fitted = takes_fractions(kind) ? plain_number(number) : json_integer(saturated(number));
    } else if (takes_fractions(kind) || json_is_integer(given)) {
        *fitted = json_incref(given);
    } else if (json_whole_number(given, &whole)) {
        *fitted = json_integer(whole);
    } else {
        *changed = true;
        *fitted = json_integer(saturated(round(clamped(kind, number))));
    }
    return *fitted != NULL;
}

/* --- words --- */

int mapping_effort_rank(const char *word)
{
    static const struct {
        const char *word;
        int rank;
    } ranks[] = {
        {"none", EFFORT_NONE},      {"off", EFFORT_NONE},        {"disabled", EFFORT_NONE},
        {"false", EFFORT_NONE},     {"minimal", EFFORT_MINIMAL}, {"low", EFFORT_LOW},
        {"medium", EFFORT_MEDIUM},  {"standard", EFFORT_MEDIUM}, {"on", EFFORT_MEDIUM},
        {"enabled", EFFORT_MEDIUM}, {"true", EFFORT_MEDIUM},     {"high", EFFORT_HIGH},
        {"xhigh", EFFORT_MOST},     {"x-high", EFFORT_MOST},     {"extra_high", EFFORT_MOST},
        {"max", EFFORT_MOST},       {"maximum", EFFORT_MOST},
    };
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++)
        if (strcasecmp(ranks[i].word, word) == 0)
            return ranks[i].rank;
    return -1;
}

static int rank_of(const json_t *word)
{
    return json_is_string(word) ? mapping_effort_rank(json_string_value(word)) : -1;
}

/* The word of the nearest rank. The ranks lie so that "none" is left to those who ask for it, and that between two
 * neighbours more thought wins. One such word among others proves nothing: `standard` beside `pro` is no effort. */
static json_t *word_by_rank(const json_t *words, const json_t *given, bool *changed)
{
    int wanted = rank_of(given), known = 0, distance = 0;
    json_t *nearest = NULL, *word;
    size_t index;
    if (wanted < 0)
        return NULL;
    json_array_foreach(words, index, word)
    {
        int rank = rank_of(word), away = rank > wanted ? rank - wanted : wanted - rank;
        known += rank >= 0;
        if (rank >= 0 && (nearest == NULL || away < distance)) {
            nearest = word;
            distance = away;
        }
    }
    *changed = distance > 0;
    return known > 1 ? nearest : NULL;
}

/* Words belong to a schema that all threads share: they are read, and never referenced. */
static bool read_number(const json_t *value, double *number)
{
    json_t *in_text = json_is_string(value) ? number_in_text(value) : NULL;
    bool is_number = json_is_number(value) || in_text != NULL;
    *number = json_number_value(in_text != NULL ? in_text : value);
    json_decref(in_text);
    return is_number;
}

static json_t *word_by_number(const json_t *words, const json_t *given, bool *changed)
{
    json_t *nearest = NULL, *word;
    double wanted, number, distance = 0;
    size_t index;
    if (!read_number(given, &wanted))
        return NULL;
    json_array_foreach(words, index, word)
    {
        bool is_number = read_number(word, &number);
        if (is_number && (nearest == NULL || fabs(number - wanted) < distance)) {
            nearest = word;
            distance = fabs(number - wanted);
        }
    }
    *changed = distance > 0;
    return nearest;
}

/* true is "true", in either direction. */
static const char *text_of(const json_t *value)
{
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return json_string_value(value);
}

static json_t *word_by_text(const json_t *words, json_t *given)
{
    const char *text = text_of(given);
    json_t *word, *found = NULL;
    size_t index;
    json_array_foreach(words, index, word)
    {
        if (json_equal(word, given))
            return word;
        const char *other = text_of(word);
        if (found == NULL && text != NULL && other != NULL && strcasecmp(text, other) == 0)
            found = word;
    }
    return found;
}

static bool fit_word(const json_t *words, json_t *given, json_t **fitted, bool *changed)
{
    json_t *word = word_by_text(words, given);
    if (word == NULL)
        word = word_by_number(words, given, changed);
    if (word == NULL)
        word = word_by_rank(words, given, changed);
    *changed = *changed && word != NULL;
    *fitted = word != NULL ? json_deep_copy(word) : NULL;
    return word != NULL;
}

/* --- other scalars --- */

/* A text that is cut says something else, so one that is too long does not fit at all. */
static bool fit_text(const struct model_value *kind, json_t *text, json_t **fitted)
{
    size_t characters = 0;
    const char *bytes = json_string_value(text);
    for (size_t i = 0; kind->max_length > 0 && i < json_string_length(text); i++)
        characters += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    *fitted = characters <= kind->max_length ? json_incref(text) : NULL;
    return *fitted != NULL;
}

static json_t *text_from(const json_t *scalar)
{
    struct buf text;
    buf_init(&text, NUMBER_TEXT_BYTES);
    json_t *value = json_append(&text, scalar) ? json_stringn(text.data, text.length) : NULL;
    buf_dispose(&text);
    return value;
}

/* NULL where it is neither true nor false. */
static json_t *boolean_from(const json_t *given)
{
    int64_t number;
    const char *text = text_of(given);
    if (json_whole_number(given, &number) && (number == 0 || number == 1))
        return json_boolean(number == 1);
    if (text != NULL && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0))
        return json_boolean(strcasecmp(text, "true") == 0);
    return NULL;
}

static json_t *number_from(json_t *given)
{
    return json_is_boolean(given) ? json_integer(json_is_true(given)) : number_of(given);
}

/* A scalar of another type than the input's. */
static bool convert(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    json_t *number = kind->types & (VALUE_INTEGER | VALUE_NUMBER) ? number_from(given) : NULL;
    bool fits = number != NULL && fit_number(kind, number, fitted, changed);
    json_decref(number);
    if (!fits && (kind->types & VALUE_BOOLEAN))
        *fitted = boolean_from(given);
    if (*fitted == NULL && (kind->types & VALUE_STRING) && !json_is_string(given)) {
        json_t *text = text_from(given);
        fit_text(kind, text, fitted);
        json_decref(text);
    }
    return *fitted != NULL;
}

/* --- lists --- */

static bool fit_item(const struct model_value *kind, json_t *item, json_t *list, bool *changed)
{
    json_t *fitted = NULL;
    bool item_changed = false;
    if (kind->items == NULL)
        return !json_is_null(item) && json_array_append(list, item) == 0;
    if (!mapping_fit(kind->items, item, &fitted, &item_changed))
        return false;
    *changed = *changed || item_changed;
    return json_array_append_new(list, fitted) == 0;
}

/* Fits all items of an array, or the one that is no array. */
static bool fit_list(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    bool is_list = json_is_array(given);
    size_t count = is_list ? json_array_size(given) : 1;
    if (kind->max_items > 0 && count > kind->max_items)
        return false;
    json_t *list = json_array();
    ensure(list != NULL);
    for (size_t i = 0; i < count; i++) {
        if (!fit_item(kind, is_list ? json_array_get(given, i) : given, list, changed)) {
            json_decref(list);
            return false;
        }
    }
    *fitted = list;
    return true;
}

/* --- unions --- */

/* What is given as it is comes before what has to be converted, and that before what has to be changed. */
static bool fit_union(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    enum { NOT, CHANGED, CONVERTED, EQUAL };
    int best = NOT;
    for (size_t i = 0; i < kind->variant_count && best != EQUAL; i++) {
        json_t *value;
        bool value_changed;
        if (!mapping_fit(&kind->variants[i], given, &value, &value_changed))
            continue;
        int fit = value_changed ? CHANGED : json_equal(value, given) ? EQUAL : CONVERTED;
        if (fit <= best) {
            json_decref(value);
            continue;
        }
        best = fit;
        json_decref(*fitted);
        *fitted = value;
        *changed = value_changed;
    }
    return *fitted != NULL;
}

/* --- all of it --- */

static bool fit_typed(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    bool takes_numbers = (kind->types & (VALUE_INTEGER | VALUE_NUMBER)) != 0;
    if (json_is_object(given) && (kind->types & VALUE_OBJECT)) {
        *fitted = json_incref(given);
        return true;
    }
    if (json_is_string(given) && (kind->types & VALUE_STRING))
        return fit_text(kind, given, fitted);
    if (json_is_boolean(given) && (kind->types & VALUE_BOOLEAN)) {
        *fitted = json_incref(given);
        return true;
    }
    if (json_is_number(given) && takes_numbers)
        return fit_number(kind, given, fitted, changed);
    if (!json_is_object(given) && convert(kind, given, fitted, changed))
        return true;
    return (kind->types & VALUE_ARRAY) && fit_list(kind, given, fitted, changed);
}

bool mapping_fit(const struct model_value *kind, json_t *given, json_t **fitted, bool *changed)
{
    *fitted = NULL;
    *changed = false;
    if (given == NULL || json_is_null(given))
        return false;
    if (kind->variant_count > 0)
        return fit_union(kind, given, fitted, changed);
    if (json_is_array(given) && (kind->types & VALUE_ARRAY))
        return fit_list(kind, given, fitted, changed);
    if (json_is_array(given))
        return json_array_size(given) == 1 && mapping_fit(kind, json_array_get(given, 0), fitted, changed);
    bool has_words = kind->words != NULL && (kind->types == VALUE_ANY || !(kind->types & (VALUE_ARRAY | VALUE_OBJECT)));
    return has_words ? fit_word(kind->words, given, fitted, changed) : fit_typed(kind, given, fitted, changed);
}
