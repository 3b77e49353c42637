/* SHA-256: the examples of the standard and of NIST's test vectors, and every length around the edges of a block. */
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "check_main.h"

static const struct {
    const char *text, *digest;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
};

START_TEST(the_standard_s_examples_have_their_digests)
{
    char digest[SHA256_HEX_BYTES];
    sha256_hex(vectors[_i].text, strlen(vectors[_i].text), digest);
    ck_assert_str_eq(digest, vectors[_i].digest);
}
END_TEST

START_TEST(a_million_letters_have_their_digest)
{
    enum { LETTERS = 1000000 };
    char *text = xmalloc(LETTERS), digest[SHA256_HEX_BYTES];
    memset(text, 'a', LETTERS);
    sha256_hex(text, LETTERS, digest);
    free(text);
    ck_assert_str_eq(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* The digest of all the digests, for texts of 0 to 129 bytes: those that fill a block or two, and their neighbours.
 * Computed with coreutils' sha256sum. */
START_TEST(texts_around_the_edges_of_a_block_are_padded_right)
{
    char all[130 * (SHA256_HEX_BYTES - 1) + 1], text[130], digest[SHA256_HEX_BYTES];
    memset(text, 'x', sizeof text);
    for (size_t length = 0; length < 130; length++)
        sha256_hex(text, length, all + length * (SHA256_HEX_BYTES - 1));
    sha256_hex(all, sizeof all - 1, digest);
    ck_assert_str_eq(digest, "199af942eba7fa5d1e16d475169eb24018b14e69339c93d26a9ea6d873b4ace6");
}
END_TEST

static Suite *sha256_suite(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tcase = tcase_create("vectors");
    tcase_add_loop_test(tcase, the_standard_s_examples_have_their_digests, 0, sizeof vectors / sizeof vectors[0]);
    tcase_add_test(tcase, a_million_letters_have_their_digest);
    tcase_add_test(tcase, texts_around_the_edges_of_a_block_are_padded_right);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(sha256_suite());
}
