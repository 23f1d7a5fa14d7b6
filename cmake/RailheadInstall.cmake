# SPDX-License-Identifier: MIT
# What `cmake --install` puts where. With the prefix /usr it is the layout of a package; with /usr/local,
# systemd finds everything as well. The live configuration is never installed: it belongs to the site.
# DESTDIR is honoured, as all destinations are below the prefix or, like /lib/systemd/system, absolute.

# The directories systemd itself names are right for /usr; elsewhere its search paths have fixed names.
# -D of one of the three variables has the last word.
function(railhead_systemd_dir variable pkgconfig_name fallback)
    if(DEFINED ${variable})
        return()
    endif()
    set(dir "")
    if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
        pkg_get_variable(dir systemd ${pkgconfig_name})
    endif()
    if(NOT dir)
        set(dir ${fallback})
    endif()
    set(${variable} ${dir} PARENT_SCOPE)
endfunction()

railhead_systemd_dir(RAILHEAD_UNIT_DIR systemdsystemunitdir lib/systemd/system)
railhead_systemd_dir(RAILHEAD_SYSUSERS_DIR sysusersdir lib/sysusers.d)
railhead_systemd_dir(RAILHEAD_TMPFILES_DIR tmpfilesdir lib/tmpfiles.d)

# railhead_unit(name config-file directory what-it-is suffix-of-its-description): one file for both units, so
# that the instances of the template are as closed in as the one service.
function(railhead_unit UNIT CONFIG_FILE DIRECTORY UNIT_IDEA UNIT_OF)
    configure_file(${CMAKE_SOURCE_DIR}/systemd/railhead.service.in ${CMAKE_BINARY_DIR}/systemd/${UNIT} @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/systemd/${UNIT} DESTINATION ${RAILHEAD_UNIT_DIR})
endfunction()

railhead_unit(railhead.service /etc/railhead/railhead.ini railhead "the gateway of this box" "")
railhead_unit(railhead@.service /etc/railhead/%i.ini railhead-%i "one of several gateways on this box" " (%i)")

install(TARGETS railhead DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY config/profiles DESTINATION ${CMAKE_INSTALL_DATADIR}/railhead FILES_MATCHING PATTERN "*.ini")
install(FILES systemd/railhead.sysusers DESTINATION ${RAILHEAD_SYSUSERS_DIR} RENAME railhead.conf)
install(FILES systemd/railhead.tmpfiles DESTINATION ${RAILHEAD_TMPFILES_DIR} RENAME railhead.conf)
install(FILES systemd/railhead.ini systemd/60-railhead.rules DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES docs/install.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
