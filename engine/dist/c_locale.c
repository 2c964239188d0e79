/* What the agent of a release has in the place of parts of glibc.
 *
 * glibc translates its messages and converts between character sets, with files and modules that it loads, and any static
 * program has the code for that: a fiftieth of what is sent to hosts. An agent never leaves the locale C, in which these
 * functions do what those of glibc do.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the locale C, a message is its own translation. */
char *__dcgettext(const char *domain, const char *message, int category) {
    (void) domain, (void) category;
    return (char *) message;
}

char *dcgettext(const char *domain, const char *message, int category) { return __dcgettext(domain, message, category); }

/* Only glibc itself asserts: if its own state is damaged. */
void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function) {
    (void) assertion, (void) file, (void) line, (void) function;
    static const char message[] = "the C library is in disorder\n";
    (void) !write(2, message, sizeof message - 1);
    abort();
}

/* glibc formats no floating-point number, nor does anything else in C here: printf's code and tables for them, with the
 * arithmetic of large numbers, and printf for streams of wide characters would be a seventieth of what is sent. */
static int unused(void) {
    static const char message[] = "the C library formats what it never does\n";
    (void) !write(2, message, sizeof message - 1);
    abort();
}

int __printf_fp(void) { return unused(); }
int __printf_fp_l(void) { return unused(); }
int __printf_fphex(void) { return unused(); }
int __vfwprintf_internal(void) { return unused(); }

/* Nobody asks for characters that look like others; the result is __GCONV_ILLEGAL_INPUT. */
int __gconv_transliterate(void) { return 6; }

/* Only pthread_getattr_np scans: lines of /proc/self/maps for two hexadecimal numbers, `FROM-TO`. */
int __isoc99_sscanf(const char *line, const char *format, ...) {
    if (strcmp(format, "%lx-%lx") != 0) abort();
    char *end;
    const unsigned long from = strtoul(line, &end, 16);
    if (end == line || *end != '-') return 0;
    const char *second = end + 1;
    const unsigned long to = strtoul(second, &end, 16);
    if (end == second) return 1;
    va_list found;
    va_start(found, format);
    *va_arg(found, unsigned long *) = from;
    *va_arg(found, unsigned long *) = to;
    va_end(found);
    return 2;
}
