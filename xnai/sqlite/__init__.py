"""What every store on SQLite needs: files of its own, transactions, migrations, copies, errors."""
