/* Which addresses stay on this machine: for warnings about what others could reach or read. */
#include <string.h>
#include <strings.h>

#include "loader_int.h"

bool host_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool url_is_exposed(const char *url)
{
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    const char *begin = url + 7;
    /* In brackets stands an IPv6 address, whose colons do not begin the port. */
    size_t length = begin[0] == '[' ? strcspn(begin, "]") + 1 : strcspn(begin, ":/");
    char host[256];
    if (length >= sizeof host)
        return true;
    memcpy(host, begin, length);
    host[length] = '\0';
    return !host_is_loopback(host);
}
