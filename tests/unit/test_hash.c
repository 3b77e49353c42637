/* The keyed hash: the published vectors, and that pieces do not matter. */
#include <string.h>

#include "base/hash.h"
#include "check_main.h"

static const unsigned char key[HASH_KEY_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void digest(const void *bytes, size_t length, size_t piece, unsigned char out[HASH_BYTES])
{
    struct hash hash;
    hash_init(&hash, key);
    for (size_t at = 0; at < length; at += piece)
        hash_add(&hash, (const char *)bytes + at, length - at < piece ? length - at : piece);
    hash_end(&hash, out);
}

START_TEST(the_published_vectors_hold)
{
    static const unsigned char empty[] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                          0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const unsigned char zero[] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                                         0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
    unsigned char out[HASH_BYTES];
    digest("", 0, 1, out);
    ck_assert_mem_eq(out, empty, sizeof empty);
    digest("\0", 1, 1, out);
    ck_assert_mem_eq(out, zero, sizeof zero);
}
END_TEST

START_TEST(how_a_text_is_cut_does_not_matter)
{
    char text[100];
    unsigned char whole[HASH_BYTES], cut[HASH_BYTES];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t length = 0; length <= sizeof text; length++) {
        digest(text, length, sizeof text, whole);
        for (size_t piece = 1; piece < 20; piece++) {
            digest(text, length, piece, cut);
            ck_assert_mem_eq(cut, whole, sizeof whole);
        }
    }
}
END_TEST

static void digest_texts(const char *a, const char *b, unsigned char out[HASH_BYTES])
{
    struct hash hash;
    hash_init(&hash, key);
    hash_add_text(&hash, a);
    hash_add_text(&hash, b);
    hash_end(&hash, out);
}

START_TEST(texts_keep_their_bounds)
{
    unsigned char one[HASH_BYTES], other[HASH_BYTES];
    digest_texts("ab", "c", one);
    digest_texts("a", "bc", other);
    ck_assert_mem_ne(one, other, sizeof one);
    digest_texts("ab", NULL, one);
    digest_texts("ab", "", other);
    ck_assert_mem_ne(one, other, sizeof one);
}
END_TEST

static Suite *hash_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_add_test(tcase, the_published_vectors_hold);
    tcase_add_test(tcase, how_a_text_is_cut_does_not_matter);
    tcase_add_test(tcase, texts_keep_their_bounds);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(hash_suite());
}
