"""Bank statements: where they come from, what they say, and whether any is missing.

arrivals (folder, sftp, mailbox)   files that wait        take_in(arrivals, land)
reading                            file -> statements     statements_of(path)
accounts                           only ours              owned(statements, accounts)
continuity                         no gap                 continued(known, statements)
records                            canonical rows         statement_record, entry_records
"""
