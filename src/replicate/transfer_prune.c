/* Closes the kept connections that the server has closed while nothing was on its way.
 *
 * Curl looks after them only when it needs a connection, and has no call for it: until then each is a descriptor in
 * CLOSE-WAIT. So some time after such a close it is given a request that needs a connection and gets none. */
#include <curl/curl.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "transfer_int.h"

enum {
    PRUNE_AFTER_MS = 2000, /* curl looks after them once a second at most */
    PRUNE_TIME_MS = 1000,  /* more than enough for what fails at once */
};

/* In vain: no socket, no byte sent, and no message, for the handle has no owner. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg;
    (void)purpose;
    (void)address;
    return CURL_SOCKET_BAD;
}

#define set_option(easy, option, value) ensure(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* The address is never connected to, but it must be one that needs no look-up. */
static CURL *request_in_vain(void)
{
    CURL *easy = curl_easy_init();
    ensure(easy);
    set_option(easy, CURLOPT_URL, "http://127.0.0.1/");
    set_option(easy, CURLOPT_PROXY, "");
    set_option(easy, CURLOPT_NOSIGNAL, 1L);
    set_option(easy, CURLOPT_FRESH_CONNECT, 1L);
    set_option(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    return easy;
}

static void take_back(struct transfer_prune *prune)
{
    if (!prune->request)
        return;
    ensure(curl_multi_remove_handle(prune->multi, prune->request) == CURLM_OK);
    curl_easy_cleanup(prune->request);
    prune->request = NULL;
}

static void on_prune_due(void *arg)
{
    struct transfer_prune *prune = arg;
    if (prune->request) {
        take_back(prune);
        if (transfer_sockets_dead(prune->sockets) > 0)
            transfer_prune_later(prune);
        return;
    }
    prune->request = request_in_vain();
    ensure(curl_multi_add_handle(prune->multi, prune->request) == CURLM_OK);
    loop_timer_set(prune->loop, &prune->timer, clock_now_ms() + PRUNE_TIME_MS);
}

void transfer_prune_init(struct transfer_prune *prune, struct loop *loop, void *multi, struct transfer_sockets *sockets)
{
    *prune = (struct transfer_prune){.loop = loop, .multi = multi, .sockets = sockets};
    loop_timer_init(&prune->timer, on_prune_due, prune);
    sockets->prune = prune;
}

void transfer_prune_later(struct transfer_prune *prune)
{
    if (prune->timer.place == 0)
        loop_timer_set(prune->loop, &prune->timer, clock_now_ms() + PRUNE_AFTER_MS);
}

void transfer_prune_dispose(struct transfer_prune *prune)
{
    take_back(prune);
    loop_timer_clear(prune->loop, &prune->timer);
    prune->sockets->prune = NULL;
}
