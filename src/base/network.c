/* Ranges of IP addresses: all of them as IPv6, so that one comparison does. */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map_ipv4(const void *ipv4, unsigned char address[NETWORK_ADDRESS_BYTES])
{
    memcpy(address, mapped, sizeof mapped);
    memcpy(address + sizeof mapped, ipv4, 4);
}

/* `longest`: the bits of an address as it was written. */
static bool read_address(const char *text, unsigned char address[NETWORK_ADDRESS_BYTES], unsigned *longest)
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        map_ipv4(&ipv4, address);
        *longest = 32;
        return true;
    }
    *longest = 128;
    return inet_pton(AF_INET6, text, address) == 1;
}

/* At most three digits, nothing else. */
static bool read_bits(const char *text, unsigned longest, unsigned *bits)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0')
        return false;
    *bits = (unsigned)strtoul(text, NULL, 10);
    return *bits <= longest;
}

bool network_parse(const char *text, struct network *network)
{
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "/");
    unsigned longest, bits;
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!read_address(address, network->address, &longest))
        return false;
    bits = longest;
    if (text[length] == '/' && !read_bits(text + length + 1, longest, &bits))
        return false;
    network->bits = longest == 32 ? bits + MAPPED_BITS : bits;
    return true;
}

bool network_contains(const struct network *network, const unsigned char address[NETWORK_ADDRESS_BYTES])
{
    size_t whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (network->bits < MAPPED_BITS && memcmp(address, mapped, sizeof mapped) == 0)
        return false;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool network_of_peer(const struct sockaddr *peer, unsigned char address[NETWORK_ADDRESS_BYTES])
{
    if (peer == NULL)
        return false;
    if (peer->sa_family == AF_INET) {
        map_ipv4(&((const struct sockaddr_in *)(const void *)peer)->sin_addr, address);
        return true;
    }
    if (peer->sa_family != AF_INET6)
        return false;
    memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, NETWORK_ADDRESS_BYTES);
    return true;
}

/* `[address]:port`, `a.b.c.d:port`, or an address alone; an IPv6 address without brackets has no port. */
static void cut_port(char **text)
{
    char *end = **text == '[' ? strchr(*text, ']') : NULL;
    if (end != NULL)
        (*text)++;
    else if (strchr(*text, '.') != NULL && strchr(*text, ':') == strrchr(*text, ':'))
        end = strchr(*text, ':');
    if (end != NULL)
        *end = '\0';
}

bool network_last_hop(const char *forwarded, unsigned char address[NETWORK_ADDRESS_BYTES])
{
    char hop[INET6_ADDRSTRLEN + sizeof "[]:65535"];
    const char *comma = strrchr(forwarded, ',');
    const char *begin = comma == NULL ? forwarded : comma + 1;
    begin += strspn(begin, " \t");
    size_t length = strcspn(begin, " \t");
    unsigned longest;
    if (length >= sizeof hop || begin[length + strspn(begin + length, " \t")] != '\0')
        return false;
    memcpy(hop, begin, length);
    hop[length] = '\0';
    char *text = hop;
    cut_port(&text);
    return read_address(text, address, &longest);
}
