/* Ranges of addresses: which are ranges, what lies in them, and whose request it is. */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "check_main.h"

static const struct {
    const char *network, *address;
    bool contains;
} ranges[] = {
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.1.2.3/8", "10.255.0.1", true},
    {"192.168.1.128/25", "192.168.1.129", true},
    {"192.168.1.128/25", "192.168.1.127", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1/32", "192.0.2.2", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"::ffff:192.0.2.0/120", "192.0.2.77", true},
    {"2001:db8::/32", "2001:db8:1::1", true},
    {"2001:db8::/32", "2001:db9::1", false},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"::1", "::1", true},
    {"::1", "127.0.0.1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "192.0.2.1", false},
};

static void address_of(const char *text, unsigned char address[NETWORK_ADDRESS_BYTES])
{
    struct network network;
    ck_assert(network_parse(text, &network));
    memcpy(address, network.address, NETWORK_ADDRESS_BYTES);
}

START_TEST(a_range_contains_what_begins_as_it_does)
{
    struct network network;
    unsigned char address[NETWORK_ADDRESS_BYTES];
    ck_assert(network_parse(ranges[_i].network, &network));
    address_of(ranges[_i].address, address);
    ck_assert_int_eq(network_contains(&network, address), ranges[_i].contains);
}
END_TEST

START_TEST(what_is_no_range_is_none)
{
    static const char *const texts[] = {"",
                                        "10",
                                        "10.0.0",
                                        "10.0.0.256",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "::/129",
                                        "::/0128",
                                        "10.0.0.0/8a",
                                        " 10.0.0.1",
                                        "10.0.0.1 ",
                                        "localhost",
                                        "fe80::1%eth0",
                                        "[::1]",
                                        "10.0.0.0//8",
                                        "::1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21:22:23:24:25:26"};
    struct network network;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ck_assert_msg(!network_parse(texts[i], &network), "\"%s\" was taken", texts[i]);
}
END_TEST

static const struct {
    const char *header, *address; /* NULL = none */
} hops[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"10.9.9.9, 192.0.2.1", "192.0.2.1"},
    {"10.9.9.9,192.0.2.1", "192.0.2.1"},
    {"10.9.9.9,\t192.0.2.1  ", "192.0.2.1"},
    {"nonsense, 2001:db8::1", "2001:db8::1"},
    {"192.0.2.1:4711", "192.0.2.1"},
    {"[2001:db8::1]:4711", "2001:db8::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"", NULL},
    {"192.0.2.1,", NULL},
    {"192.0.2.1, unknown", NULL},
    {"192.0.2.1, 10.0.0.1 10.0.0.2", NULL},
    {"192.0.2.1, 10.0.0.1/8", NULL},
    {"[2001:db8::1", NULL},
    {"1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555:6666:7777:8888", NULL},
};

START_TEST(the_last_hop_is_the_one_that_the_nearest_proxy_added)
{
    unsigned char address[NETWORK_ADDRESS_BYTES], expected[NETWORK_ADDRESS_BYTES];
    bool is_there = network_last_hop(hops[_i].header, address);
    ck_assert_int_eq(is_there, hops[_i].address != NULL);
    if (!is_there)
        return;
    address_of(hops[_i].address, expected);
    ck_assert_mem_eq(address, expected, sizeof expected);
}
END_TEST

START_TEST(a_peer_has_the_address_of_its_socket)
{
    unsigned char address[NETWORK_ADDRESS_BYTES], expected[NETWORK_ADDRESS_BYTES];
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct sockaddr local = {.sa_family = AF_UNIX};
    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.1", &ipv4.sin_addr), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &ipv6.sin6_addr), 1);
    address_of("192.0.2.1", expected);
    ck_assert(network_of_peer((const struct sockaddr *)&ipv4, address));
    ck_assert_mem_eq(address, expected, sizeof expected);
    ck_assert(network_of_peer((const struct sockaddr *)&ipv6, address));
    ck_assert_mem_eq(address, expected, sizeof expected);
    ck_assert(!network_of_peer(&local, address));
    ck_assert(!network_of_peer(NULL, address));
}
END_TEST

static Suite *network_suite(void)
{
    Suite *suite = suite_create("network");
    TCase *tcase = tcase_create("ranges");
    tcase_add_loop_test(tcase, a_range_contains_what_begins_as_it_does, 0, sizeof ranges / sizeof ranges[0]);
    tcase_add_test(tcase, what_is_no_range_is_none);
    tcase_add_loop_test(tcase, the_last_hop_is_the_one_that_the_nearest_proxy_added, 0, sizeof hops / sizeof hops[0]);
    tcase_add_test(tcase, a_peer_has_the_address_of_its_socket);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return suite_run(network_suite());
}
