/* Both ends of the event rows of scripts/bench, which compiles this: a listener and a client that
 * cost next to nothing themselves.
 *
 *   events listen GO COUNT OUT    says READY once the file GO exists; accepts COUNT events with
 *                                 one write each; then writes to OUT a line for each: when it
 *                                 came, and how old its data, a time of CLOCK_MONOTONIC, was
 *                                 then; both in nanoseconds
 *   events send SOCKET COUNT GAP  sends COUNT events with the time as data by XML-RPC, one after
 *                                 another, GAP microseconds apart
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, text, length);
        if (count < 0)
            fail("write");
        text += count;
        length -= count;
    }
}

/* The data of one event in `buffer`, which is small and comes whole with nearly every read. */
static char *receive(char *buffer, size_t size)
{
    size_t have = 0;
    for (;;) {
        ssize_t count = read(0, buffer + have, size - 1 - have);
        if (count <= 0)
            exit(0);
        have += count;
        buffer[have] = 0;
        char *end = strchr(buffer, '\n');
        char *length = end ? strstr(buffer, " len:") : NULL;
        if (length && have - (end + 1 - buffer) >= strtoul(length + 5, NULL, 10))
            return strchr(end + 1, '\n');
    }
}

static int listen_for(char **words)
{
    static char buffer[65536];
    size_t count = strtoul(words[1], NULL, 10);
    long long *came = calloc(count, sizeof *came), *ages = calloc(count, sizeof *ages);
    while (access(words[0], F_OK))
        usleep(1000);
    put(1, "READY\n", 6);
    for (size_t n = 0; n < count; n++) {
        char *data = receive(buffer, sizeof buffer);
        came[n] = now();
        ages[n] = came[n] - strtoll(data ? data + 1 : "0", NULL, 10);
        put(1, "RESULT 2\nOKREADY\n", 17);
    }
    char part[4096];
    snprintf(part, sizeof part, "%s.part", words[2]);
    FILE *out = fopen(part, "w");
    if (!out)
        fail(part);
    for (size_t n = 0; n < count; n++)
        fprintf(out, "%lld %lld\n", came[n], ages[n]);
    fclose(out);
    rename(part, words[2]);
    pause();
    return 0;
}

static int send_to(char **words)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, words[0], sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        fail(words[0]);
    size_t count = strtoul(words[1], NULL, 10), gap = strtoul(words[2], NULL, 10);
    for (size_t n = 0; n < count; n++) {
        char body[1024], request[2048], answer[4096];
        int length = snprintf(
            body, sizeof body,
            "<?xml version='1.0'?><methodCall><methodName>supervisor.sendRemoteCommEvent"
            "</methodName><params><param><value><string>t</string></value></param>"
            "<param><value><string>%lld</string></value></param></params></methodCall>",
            now());
        length = snprintf(request, sizeof request,
                          "POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
                          "Content-Length: %d\r\n\r\n%s", length, body);
        put(fd, request, length);
        /* The answer is small; its end is all that matters. */
        for (size_t have = 0; have < 16 || !strstr(answer, "</methodResponse>");) {
            ssize_t got = read(fd, answer + have, sizeof answer - 1 - have);
            if (got <= 0)
                fail("read");
            have += got;
            answer[have] = 0;
        }
        usleep(gap);
    }
    return 0;
}

int main(int count, char **words)
{
    if (count == 5 && !strcmp(words[1], "listen"))
        return listen_for(words + 2);
    if (count == 5 && !strcmp(words[1], "send"))
        return send_to(words + 2);
    fprintf(stderr, "usage: events listen GO COUNT OUT | send SOCKET COUNT GAP\n");
    return 2;
}
